import { expect } from "chai";
import type { Signature } from "../../lib/tensor.ts";
import {
  type BatchSettings,
  plainQueuePolicy,
  unbatched,
  unjoined,
} from "../../services/inference/batching/batch-settings.ts";
import { modelConfig } from "../../services/inference/handlers/model-config.ts";
import type { ReplicaSettings, VersionPolicy } from "../../services/inference/replicas/aspired-version.ts";
import { modelTable } from "../../services/inference/replicas/model-table.ts";
import { aspiredVersion } from "./aspired.ts";

const queue = { requestsMax: 1, rowsMax: 1, bytesMax: 1 };
const sequences = { sequencesMax: 10, waitingMax: 2, idleMs: 1500 };
const node: Parameters<typeof modelConfig>[2] = { instanceCount: 2, intraOpThreads: 3, coreCount: 8, queue, sequences };
const signature: Signature = {
  inputs: [
    { name: "x", dataType: "FP32", shape: ["n", 16] },
    { name: "w", dataType: "INT64", shape: ["n"], optional: true },
  ],
  outputs: [{ name: "y", dataType: "BYTES", shape: ["n", "width"] }],
};

/** The config of a model's newest version, of two that are held. */
function configOf(
  settings: Partial<ReplicaSettings> = {},
  of: {
    signature?: Signature;
    versionPolicy?: VersionPolicy;
    executionProvider?: string;
    found?: BatchSettings;
  } = {},
) {
  const versions = [3, 7].map((version) => {
    const aspired = aspiredVersion("m", version);
    return { ...aspired, settings: { ...aspired.settings, ...settings }, versionPolicy: of.versionPolicy };
  });
  const placement = { executionProvider: of.executionProvider ?? "cpu", fallbackProviders: [] };
  const ready = {
    signature: of.signature ?? signature,
    placement,
    batching: of.found ?? settings.batching ?? unbatched,
  };
  return modelConfig(versions[1], ready, node, modelTable(versions, new Map(), []).get("m")!);
}

describe("the config of a version", () => {
  it("says what runs it, what it takes and gives, and its sessions as the node is set", () => {
    expect(configOf()).to.deep.equal({
      name: "m",
      platform: "onnxruntime_onnx",
      backend: "onnxruntime",
      versionPolicy: { specific: { versions: [3, 7] } },
      maxBatchSize: 0,
      input: [
        { name: "x", dataType: "TYPE_FP32", dims: [-1, 16], optional: false },
        { name: "w", dataType: "TYPE_INT64", dims: [-1], optional: true },
      ],
      output: [{ name: "y", dataType: "TYPE_STRING", dims: [-1, -1] }],
      instanceGroup: [{ name: "m_0", count: 2, kind: "KIND_CPU" }],
      defaultModelFilename: "model.onnx",
      parameters: {
        execution_provider: { stringValue: "cpu" },
        fallback_execution_providers: { stringValue: "" },
        variant: { stringValue: "default" },
        intra_op_threads: { stringValue: "3" },
      },
    });
  });

  it("says what sequences keep and how they are joined, and that requests may have many responses", () => {
    const states = [{ inputName: "s", outputName: "t", initialShape: [], initialRaw: new Uint8Array() }];
    const sequenceBatching = (settings: Partial<ReplicaSettings>) =>
      configOf({ sequences: { states, sequencesMax: 4, idleMs: 0 }, ...settings }).sequenceBatching;
    expect(sequenceBatching({})).to.deep.equal({
      maxSequenceIdleMicroseconds: 1_500_000,
      oldest: { maxCandidateSequences: 4 },
      state: [{ inputName: "s", outputName: "t" }],
    });
    const batching = { ...unbatched, maxBatchSize: 8, preferredBatchSizes: [4], maxQueueDelayMs: 2 };
    expect(sequenceBatching({ batching })?.oldest).to.deep.equal({
      maxCandidateSequences: 4,
      preferredBatchSize: [4],
      maxQueueDelayMicroseconds: 2000,
      preserveOrdering: false,
    });
    const decoupled = { lastOutput: "", responsesMax: 3, feedbacks: [] };
    expect(configOf({ decoupled }).modelTransactionPolicy).to.deep.equal({ decoupled: true });
  });

  it("leaves the batch out of dims where requests are joined, and says how they are", () => {
    const policy = { ...plainQueuePolicy, timeoutAction: "DELAY" as const, defaultTimeoutMs: 5, maxQueueSize: 9 };
    const batching: BatchSettings = {
      ...unbatched,
      maxBatchSize: 8,
      requestRowsMax: 8,
      preferredBatchSizes: [4, 8],
      maxQueueDelayMs: 2,
      preserveOrdering: true,
      defaultPriorityLevel: 2,
      queuePolicies: [plainQueuePolicy, policy],
    };
    const { maxBatchSize, input, output, dynamicBatching } = configOf({ batching });
    expect([maxBatchSize, input!.map(({ dims }) => dims), output![0].dims]).to.deep.equal([8, [[16], []], [-1]]);
    const plain = {
      timeoutAction: "REJECT",
      defaultTimeoutMicroseconds: 0,
      allowTimeoutOverride: false,
      maxQueueSize: 0,
    };
    const second = { ...plain, timeoutAction: "DELAY", defaultTimeoutMicroseconds: 5000, maxQueueSize: 9 };
    expect(dynamicBatching).to.deep.equal({
      preferredBatchSize: [4, 8],
      maxQueueDelayMicroseconds: 2000,
      preserveOrdering: true,
      priorityLevels: 2,
      defaultPriorityLevel: 2,
      defaultQueuePolicy: second,
      priorityQueuePolicy: { 1: plain, 2: second },
    });
  });

  it("says what warms the version up, bytes of its own as a file", () => {
    const given = (name: string, bytes = new Uint8Array()) => ({ name, shape: [2, 16], bytes });
    const warmUps = [
      { kind: "random" as const, rowCount: 2, runCount: 3, inputs: [given("x"), given("w", Uint8Array.of(1))] },
      { kind: "zeros" as const, rowCount: 1, runCount: 1, inputs: [] },
    ];
    const warmUpOf = (settings: Partial<ReplicaSettings>) => configOf({ warmUps, ...settings }).modelWarmup!;
    expect(warmUpOf({})).to.deep.equal([
      {
        ...{ name: "warm-up 1", batchSize: 2, count: 3 },
        inputs: {
          x: { dataType: "TYPE_FP32", dims: [2, 16], randomData: true },
          w: { dataType: "TYPE_INT64", dims: [2, 16], inputDataFile: "given bytes" },
        },
      },
      { name: "warm-up 2", batchSize: 1, count: 1, inputs: {} },
    ]);
    const batching = { ...unbatched, maxBatchSize: 8, requestRowsMax: 8 };
    expect(warmUpOf({ batching })[0].inputs!.x!.dims).to.deep.equal([16]);
  });

  it("says the batch size that was found, and none where requests cannot be joined", () => {
    const batching = { ...unbatched, maxBatchSize: 64, findsBatchSize: true };
    expect(configOf({ batching }, { found: { ...batching, maxBatchSize: 16 } })).to.include({ maxBatchSize: 16 });
    const config = configOf({ batching }, { found: unjoined(batching) });
    expect(config).to.include({ maxBatchSize: 0 }).and.not.to.have.property("dynamicBatching");
  });

  it("has a group of sessions for each number of threads, on the kind of device that the provider runs on", () => {
    const group = (executionProvider: string, count: number, intraOpThreads: number) => ({
      executionProvider,
      count,
      intraOpThreads,
    });
    const instanceGroups = [group("", 1, 1), group("cuda", 1, 4), group("cpu", 5, 1), group("cuda", 1, 1)];
    const { instanceGroup, parameters } = configOf({ instanceGroups }, { executionProvider: "cuda" });
    expect(instanceGroup).to.deep.equal([
      { name: "m_0", count: 2, kind: "KIND_GPU" },
      { name: "m_1", count: 1, kind: "KIND_GPU" },
    ]);
    expect(parameters).to.deep.include({
      execution_provider: { stringValue: "cuda" },
      intra_op_threads: { stringValue: "1,4" },
    });
  });

  for (const [policy, message] of [
    [{ kind: "latest", count: 2 }, { latest: { numVersions: 2 } }],
    [{ kind: "all" }, { all: {} }],
    [{ kind: "specific", versions: [9] }, { specific: { versions: [9] } }],
  ] as const) {
    it(`says that the versions are held by the policy '${policy.kind}'`, () => {
      expect(configOf({}, { versionPolicy: policy }).versionPolicy).to.deep.equal(message);
    });
  }
});
