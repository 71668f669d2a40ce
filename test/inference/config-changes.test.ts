import { expect } from "chai";
import { configChanges as readConfig } from "../../services/inference/control/config-changes.ts";

const unloaded = { configs: [], changes: {}, instanceGroups: [] };
const configChanges = (config: string, model: string) => readConfig(config, model, unloaded).changes;

const policy = {
  timeoutAction: "TIMEOUT_ACTION_REJECT",
  defaultTimeoutMicroseconds: 0,
  allowTimeoutOverride: false,
  maxQueueSize: 0,
};
const batching = {
  maxBatchSize: 0,
  preferredBatchSizes: [],
  maxQueueDelayMicroseconds: 0,
  preserveOrdering: false,
  priorityLevels: 0,
  defaultPriorityLevel: 0,
  defaultQueuePolicy: null,
  priorityQueuePolicies: {},
};

const accepted: Readonly<Record<string, readonly [config: object, changes: object]>> = {
  "nothing but what the model is": [{ name: "m", platform: "onnxruntime_onnx", backend: "onnxruntime" }, {}],
  "a batch size": [{ max_batch_size: 8 }, { maxBatchSize: 8 }],
  "numbers as texts, as JSON of protobuf has them": [
    { max_batch_size: "8", dynamic_batching: { max_queue_delay_microseconds: "100" } },
    { maxBatchSize: 8, dynamicBatching: { ...batching, maxQueueDelayMicroseconds: 100 } },
  ],
  "preferred sizes in any order": [
    { dynamic_batching: { preferred_batch_size: [8, 4, 8] } },
    { dynamicBatching: { ...batching, preferredBatchSizes: [4, 8] } },
  ],
  "priorities and queue policies": [
    {
      dynamic_batching: {
        priority_levels: 2,
        default_priority_level: 1,
        preserve_ordering: true,
        default_queue_policy: { timeout_action: "DELAY", default_timeout_microseconds: 5 },
        priority_queue_policy: { 2: { max_queue_size: 7, allow_timeout_override: true } },
      },
    },
    {
      dynamicBatching: {
        ...batching,
        priorityLevels: 2,
        defaultPriorityLevel: 1,
        preserveOrdering: true,
        defaultQueuePolicy: { ...policy, timeoutAction: "TIMEOUT_ACTION_DELAY", defaultTimeoutMicroseconds: 5 },
        priorityQueuePolicies: { 2: { ...policy, maxQueueSize: 7, allowTimeoutOverride: true } },
      },
    },
  ],
  sessions: [
    { instance_group: [{ name: "a", count: 3, kind: "KIND_CPU" }, {}] },
    {
      instanceGroups: [
        { executionProvider: "cpu", count: 3, intraOpThreads: 0 },
        { executionProvider: "", count: 1, intraOpThreads: 0 },
      ],
    },
  ],
  "the newest versions": [
    { version_policy: { latest: { num_versions: 2 } } },
    { versionPolicy: { choice: "latest", latest: 2 } },
  ],
  "all versions": [{ version_policy: { all: {} } }, { versionPolicy: { choice: "all", all: {} } }],
  "warm-ups, whose dims get the batch": [
    {
      max_batch_size: 4,
      model_warmup: [
        {
          name: "sample",
          batch_size: 4,
          count: 2,
          inputs: { x: { data_type: "TYPE_FP32", dims: ["16"], random_data: true } },
        },
      ],
    },
    {
      maxBatchSize: 4,
      warmUps: [
        { kind: "KIND_RANDOM", rows: 4, count: 2, inputs: [{ name: "x", shape: [4, 16], raw: Buffer.alloc(0) }] },
      ],
    },
  ],
  "warm-ups, also what they are not": [
    { model_warmup: [{ inputs: { x: { dims: [2], zero_data: true, random_data: false } } }] },
    { warmUps: [{ kind: "KIND_ZEROS", rows: 1, count: 0, inputs: [{ name: "x", shape: [2], raw: Buffer.alloc(0) }] }] },
  ],
};

const refused: Readonly<Record<string, readonly [config: unknown, text: string]>> = {
  "no object": [[1], "config is [1]; needed: an object"],
  "another model's name": [{ name: "other" }, 'config.name is "other"; needed: one of m, '],
  "another platform": [{ platform: "tensorrt_plan" }, "config.platform is"],
  "an unknown field": [{ max_batch: 3 }, "config.max_batch is not supported; needed: only name, platform"],
  "what no node does": [{ optimization: {} }, "config.optimization is not supported"],
  "a fraction": [{ max_batch_size: 1.5 }, "config.max_batch_size is 1.5; needed: a whole number from 0 to 65536"],
  "a text with no number": [{ max_batch_size: "8x" }, 'config.max_batch_size is "8x"'],
  "a preferred size above the largest": [
    { max_batch_size: 4, dynamic_batching: { preferred_batch_size: [2, 8] } },
    "config.dynamic_batching.preferred_batch_size[1] is 8; needed: a whole number from 1 to 4",
  ],
  "batching without batches": [
    { max_batch_size: 0, dynamic_batching: {} },
    "config.max_batch_size is 0; needed: at least 1 with dynamic_batching",
  ],
  "a policy of no priority": [
    { dynamic_batching: { priority_queue_policy: { 1: {} } } },
    "config.dynamic_batching.priority_queue_policy is",
  ],
  "a field that is unknown deep inside": [
    { dynamic_batching: { default_queue_policy: { size: 1 } } },
    "config.dynamic_batching.default_queue_policy.size is not supported",
  ],
  "sessions on a GPU": [{ instance_group: [{ kind: "KIND_GPU" }] }, "config.instance_group[0].kind is"],
  "samples from files": [
    { model_warmup: [{ batch_size: 1, inputs: { x: { dims: [1], input_data_file: "a" } } }] },
    "config.model_warmup[0].inputs.x.input_data_file is not supported",
  ],
};

describe("a config that comes with a load", () => {
  for (const [what, [config, changes]] of Object.entries(accepted)) {
    it(`may say ${what}`, () => {
      expect(configChanges(JSON.stringify(config), "m")).to.deep.equal(changes);
    });
  }

  for (const [what, [config, text]] of Object.entries(refused)) {
    it(`is refused with ${what}, with its path`, () => {
      expect(() => configChanges(JSON.stringify(config), "m"))
        .to.throw()
        .that.includes({ reason: "REQUEST_INVALID" })
        .and.has.property("message")
        .that.contains(text);
    });
  }

  it("is refused at any depth", () => {
    const deep = "[".repeat(100_000) + "]".repeat(100_000);
    expect(() => configChanges(deep, "m")).to.throw("config is nested too deeply to be shown; needed: an object");
  });

  it("is refused where it is no JSON, or very large", () => {
    expect(() => configChanges("{", "m")).to.throw("config is not JSON: ");
    expect(() => configChanges(" ".repeat(2 ** 20 + 1), "m")).to.throw("config has 1048577 characters");
  });
});
