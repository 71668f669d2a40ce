import { expect } from "chai";
import type { ModelConfig } from "../../lib/gen/inference/ModelConfig.ts";
import { configChanges } from "../../services/inference/control/config-changes.ts";
import type { SettingsChanges } from "../../services/inference/control/model-choices.ts";
import { configJson } from "./config-json.ts";

const present: ModelConfig = {
  name: "m",
  platform: "onnxruntime_onnx",
  backend: "onnxruntime",
  versionPolicy: { specific: { versions: [3, 7] } },
  maxBatchSize: 16,
  input: [{ name: "x", dataType: "TYPE_FP32", dims: [-1, 16], optional: false }],
  output: [{ name: "y", dataType: "TYPE_STRING", dims: [-1] }],
  instanceGroup: [
    { name: "m_0", count: 2, kind: "KIND_GPU" },
    { name: "m_1", count: 1, kind: "KIND_GPU" },
  ],
  dynamicBatching: {
    preferredBatchSize: [4, 8],
    maxQueueDelayMicroseconds: 2000,
    priorityLevels: 2,
    defaultPriorityLevel: 2,
    defaultQueuePolicy: { timeoutAction: "REJECT", maxQueueSize: 0 },
    priorityQueuePolicy: { 1: { timeoutAction: "REJECT" }, 2: { timeoutAction: "DELAY", maxQueueSize: 9 } },
  },
  modelWarmup: [{ name: "w", batchSize: 2, count: 1, inputs: { aB: { inputDataFile: "given bytes", dims: [2] } } }],
  defaultModelFilename: "model.onnx",
  parameters: { execution_provider: { stringValue: "cuda" }, fallback_execution_providers: { stringValue: "" } },
};
const before: SettingsChanges = { maxBatchSize: 16, warmUps: [] };
const instanceGroups = [
  { executionProvider: "cuda", count: 1, intraOpThreads: 4 },
  { executionProvider: "cpu", count: 1, intraOpThreads: 1 },
  { executionProvider: "", count: 1, intraOpThreads: 2 },
];
const changesOf = (config: object, configs = [present]) =>
  configChanges(JSON.stringify(config), "m", { configs, changes: before, instanceGroups }).changes;
const sent = (change: object = {}) => ({ ...configJson(present), ...change });

describe("a config that a client has got and sends back", () => {
  it("changes nothing, and leaves what an earlier load has changed", () => {
    expect(changesOf(sent())).to.deep.equal(before);
  });

  it("changes what the client has changed, and nothing else", () => {
    expect(changesOf(sent({ version_policy: { latest: {} } }))).to.deep.equal({
      ...before,
      versionPolicy: { choice: "latest", latest: 1 },
    });
    const { maxBatchSize, dynamicBatching, ...others } = changesOf(sent({ max_batch_size: 32 }));
    expect([maxBatchSize, dynamicBatching?.preferredBatchSizes, others]).to.deep.equal([32, [4, 8], { warmUps: [] }]);
    const { preferred_batch_size: _, ...plain } = sent().dynamic_batching as Record<string, unknown>;
    expect(changesOf(sent({ dynamic_batching: plain })).dynamicBatching).to.deep.include({
      preferredBatchSizes: [],
      maxQueueDelayMicroseconds: 2000,
    });
    const { dynamic_batching: __, ...unsaid } = sent();
    expect(changesOf(unsaid)).to.deep.equal(before);
  });

  it("keeps the threads of sessions, which it does not say, where it changes how many there are", () => {
    const [group, other] = sent().instance_group as object[];
    const groups = [{ ...group, count: 3 }, other, { count: 1 }];
    expect(changesOf(sent({ instance_group: groups })).instanceGroups).to.deep.equal([
      { executionProvider: "", count: 3, intraOpThreads: 4 },
      { executionProvider: "", count: 1, intraOpThreads: 1 },
      { executionProvider: "", count: 1, intraOpThreads: 2 },
    ]);
  });

  it("may say of the model what any of its versions is like, and leave out what it likes", () => {
    const dims = [{ name: "x", dims: [16], format: "FORMAT_NONE", optional: false, reshape: null }];
    const second = { ...present, input: [{ name: "x", dims: ["16"] }] };
    expect(changesOf({ input: dims, model_transaction_policy: { decoupled: false } }, [present, second])).to.deep.equal(
      {},
    );
    expect(() => changesOf({ input: dims })).to.throw();
  });

  const contradictions: Readonly<Record<string, readonly [object, string]>> = {
    "other dims": [{ input: [{ name: "x", dims: [-1, 3] }] }, "config.input[0].dims[1] is 3; needed: 16"],
    "another input": [{ input: [{ name: "z" }] }, 'config.input[0].name is "z"; needed: "x"'],
    "another type": [
      { output: [{ name: "y", data_type: "TYPE_INT8" }] },
      'config.output[0].data_type is "TYPE_INT8"; needed: "TYPE_STRING"',
    ],
    "fewer inputs": [{ input: [] }, "config.input is []; needed: [{"],
    "many responses": [
      { model_transaction_policy: { decoupled: true } },
      "config.model_transaction_policy.decoupled is true; needed: nothing",
    ],
    "another provider": [
      { parameters: { execution_provider: { string_value: "cpu" } } },
      'config.parameters.execution_provider.string_value is "cpu"; needed: "cuda"',
    ],
    "a parameter that is not there": [
      { parameters: { constructor: { string_value: "a" } } },
      'config.parameters.constructor.string_value is "a"; needed: nothing',
    ],
    "an object in the place of a text": [{ default_model_filename: { a: 1 } }, "config.default_model_filename.a is 1"],
    "a text in the place of an object": [{ input: "x" }, 'config.input is "x"; needed: [{'],
    "batches of none with batching": [{ max_batch_size: 0 }, "config.max_batch_size is 0; needed: at least 1"],
    "samples of bytes that it does not have": [
      { model_warmup: [{ inputs: { aB: { dims: [2], input_data_file: "given bytes" } } }] },
      "config.model_warmup[0].inputs.aB.input_data_file is not supported",
    ],
  };
  for (const [what, [change, text]] of Object.entries(contradictions)) {
    it(`is refused with ${what}, with the value seen and the value needed`, () => {
      expect(() => changesOf(sent(change)))
        .to.throw()
        .that.includes({ reason: "REQUEST_INVALID" })
        .and.has.property("message")
        .that.contains(text);
    });
  }

  it("is refused at any depth", () => {
    const deep = (open: string, close: string) => `{"input": ${open.repeat(50_000)}1${close.repeat(50_000)}}`;
    for (const config of [deep("[", "]"), deep('{"a":', "}")]) {
      expect(() => configChanges(config, "m", { configs: [present], changes: {}, instanceGroups: [] })).to.throw(
        /^config\.input/,
      );
    }
  });
});
