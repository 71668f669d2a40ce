import { expect } from "chai";
import type { ModelInferRequest } from "../../lib/gen/inference/ModelInferRequest.ts";
import { remoteFaultOf } from "../../lib/rpc/status.ts";
import { type AssignedVersion, FakeRegistry } from "./fake-registry.ts";
import { addingModel } from "./models.ts";
import { emptyFolder, type RunningNode, startNode } from "./running-node.ts";
import {
  accumulating,
  accumulatorModel,
  generating,
  historyModel,
  thirdColumnModel,
  tokenModel,
} from "./stateful-models.ts";
import { bytesOf, floatsOf } from "./wire.ts";

describe("a node with stateful models", function () {
  this.timeout(60_000);
  let registry: FakeRegistry;
  let folder: Awaited<ReturnType<typeof emptyFolder>>;
  let node: RunningNode;
  let assigned: AssignedVersion[];

  before(async () => {
    registry = new FakeRegistry();
    await registry.start();
    folder = await emptyFolder();
    node = await startNode(folder.path, registry.address);
    const accumulator = registry.store(accumulatorModel());
    const history = { states: [{ inputName: "history", outputName: "grown", initialShape: [-1, 0] }] };
    const wrong = { states: [{ inputName: "state", outputName: "y", initialShape: [-1, 3] }] };
    assigned = [
      { model: "single", version: 1, ...accumulator, settings: accumulating, aliases: ["default"] },
      {
        ...{ model: "batched", version: 1, ...accumulator, aliases: ["default"] },
        settings: { ...accumulating, dynamicBatching: { maxBatchSize: 8, maxQueueDelayMicroseconds: 20_000 } },
      },
      {
        ...{ model: "history", version: 1, ...registry.store(historyModel()), aliases: ["default"] },
        settings: { sequenceBatching: history },
      },
      {
        ...{ model: "tokens", version: 1, ...registry.store(tokenModel()), aliases: ["default"] },
        settings: { sequenceBatching: generating.sequenceBatching },
      },
      { model: "stateless", version: 1, ...registry.store(addingModel(1)), aliases: ["default"] },
      {
        ...{ model: "warm", version: 1, ...registry.store(thirdColumnModel()), aliases: ["default"] },
        settings: {
          sequenceBatching: { states: [{ inputName: "state", outputName: "next", initialShape: [-1, 3] }] },
          dynamicBatching: {},
          warmUps: [{ rows: 2 }, { kind: "KIND_RANDOM" }],
        },
      },
      { model: "wrong", version: 1, ...accumulator, settings: { sequenceBatching: wrong }, aliases: ["default"] },
    ];
    registry.assign(...assigned);
    await registry.reported(
      ({ replicas }) => replicas.length === 7 && replicas.every(({ state }) => state !== "STATE_LOADING"),
    );
  });

  after(async () => {
    await node.stop();
    await registry.stop();
    await folder.remove();
  });

  type Step = { readonly start?: boolean; readonly end?: boolean };
  const stepOf = (model: string, id: number | string, value: number, { start, end }: Step = {}): ModelInferRequest => ({
    modelName: model,
    inputs: [{ name: "x", datatype: "FP32", shape: [1, 2] }],
    rawInputContents: [bytesOf(Float32Array.of(value, -value))],
    parameters: {
      sequence_id: typeof id === "number" ? { uint64Param: id } : { stringParam: id },
      sequence_start: { boolParam: start ?? false },
      sequence_end: { boolParam: end ?? false },
    },
  });
  // Less than a test may take, so that the call is named; hundreds of them at the same time take long where the machine has other work.
  const infer = (request: ModelInferRequest) => node.client.unary("ModelInfer", request, { timeoutMs: 50_000 });
  const sum = async (...step: Parameters<typeof stepOf>) =>
    floatsOf((await infer(stepOf(...step))).rawOutputContents[0]);
  const fault = (request: ModelInferRequest) =>
    infer(request).then(() => expect.fail("it was answered"), remoteFaultOf);

  it("does not show the states to anybody", async () => {
    const { inputs, outputs } = await node.client.unary("ModelMetadata", { name: "single" });
    expect([inputs, outputs].map((specs) => specs.map(({ name }) => name))).to.deep.equal([["x"], ["y"]]);
    const { outputs: given } = await infer(stepOf("single", "seen", 1, { start: true, end: true }));
    expect(given.map(({ name }) => name)).to.deep.equal(["y"]);
    const stray = { ...stepOf("single", "seen", 1, { start: true }), outputs: [{ name: "next" }] };
    expect((await fault(stray)).message).to.equal("unexpected output 'next' for model 'single'; its outputs: 'y'");
  });

  for (const model of ["single", "batched"]) {
    it(`gives each request of a sequence what the one before has left (${model})`, async () => {
      expect(await sum(model, 7, 1, { start: true })).to.deep.equal([1, -1]);
      expect(await sum(model, "7", 100, { start: true })).to.deep.equal([100, -100]);
      expect(await sum(model, 7, 2)).to.deep.equal([3, -3]);
      expect(await sum(model, "7", 50, { end: true })).to.deep.equal([150, -150]);
      expect(await sum(model, 7, 3)).to.deep.equal([6, -6]);
      expect(await sum(model, 7, 1, { start: true })).to.deep.equal([1, -1]);
      expect(await sum(model, 7, 1, { end: true })).to.deep.equal([2, -2]);
      const { reason, message } = await fault(stepOf(model, 7, 1));
      expect(reason).to.equal("SEQUENCE_UNKNOWN");
      expect(message).to.equal(
        `inference request for sequence 7 to model '${model}' must specify the START flag on the first request of the sequence`,
      );
    });

    it(`keeps many sequences apart that go on at the same time, each in its order (${model})`, async () => {
      const sums = await Promise.all(
        Array.from({ length: 40 }, (_, id) =>
          Promise.all(
            [1, 2, 3, 4, 5].map((value) =>
              sum(model, `s${id}`, value * (id + 1), { start: value === 1, end: value === 5 }),
            ),
          ),
        ),
      );
      for (const [id, ofSequence] of sums.entries()) {
        expect(ofSequence.map(([first]) => first)).to.deep.equal([1, 3, 6, 10, 15].map((n) => n * (id + 1)));
      }
    });
  }

  it("goes on from the same state after a request that cannot be taken", async () => {
    await sum("single", "steady", 5, { start: true });
    const wider = { ...stepOf("single", "steady", 0), inputs: [{ name: "x", datatype: "FP32", shape: [2, 2] }] };
    expect(await fault({ ...wider, rawInputContents: [Buffer.alloc(16)] })).to.include({
      reason: "TENSOR_INVALID",
      message: "the request has 2 rows; needed: 1, as its sequence 'steady' began with",
    });
    expect(await sum("single", "steady", 1, { end: true })).to.deep.equal([6, -6]);
  });

  it("goes on from the same state after a run that fails", async () => {
    const token = (value: bigint, step: Step = {}) => ({
      ...stepOf("tokens", 1, 0, step),
      inputs: [{ name: "token", datatype: "INT64", shape: [1, 1] }],
      outputs: [{ name: "seen" }],
      rawInputContents: [bytesOf(BigInt64Array.of(value))],
    });
    const seen = async (request: ModelInferRequest) => (await infer(request)).rawOutputContents[0].readBigInt64LE();
    expect(await seen(token(1n, { start: true }))).to.equal(1n);
    expect(await seen(token(2n))).to.equal(2n);
    expect((await fault(token(99n))).message).to.match(/^the model cannot take these inputs: /);
    expect(await seen(token(3n))).to.equal(3n);
  });

  it("keeps states that grow", async () => {
    const counts: bigint[] = [];
    for (let step = 0; step < 4; step++) {
      const request = stepOf("history", 3, 0, { start: step === 0 });
      const inputs = [{ name: "x", datatype: "FP32", shape: [2, 1] }];
      const { rawOutputContents } = await infer({ ...request, inputs });
      counts.push(rawOutputContents[0].readBigInt64LE());
    }
    expect(counts).to.deep.equal([2n, 4n, 6n, 8n]);
  });

  it("refuses requests without a sequence to them, and those with one to models without states", async () => {
    const { parameters: _, ...alone } = stepOf("single", 1, 1);
    expect(await fault(alone)).to.include({
      reason: "REQUEST_INVALID",
      message:
        "inference request to model 'single' must specify a non-zero or non-empty correlation ID: the parameter sequence_id",
    });
    expect((await fault(stepOf("single", 0, 1, { start: true }))).message).to.match(/correlation ID/);
    expect(await fault(stepOf("stateless", 1, 1, { start: true }))).to.include({
      reason: "REQUEST_INVALID",
      message: "the request has parameters of a sequence, and model 'stateless' is served without sequence_batching",
    });
    expect(await sum("stateless", 0, 1)).to.deep.equal([2, 0]);
  });

  it("warms a version up with the states that its sequences begin with, also where its batch size is measured", async () => {
    const { replicas } = registry.reports.at(-1)!;
    expect(replicas.find(({ version }) => version === "models/warm/versions/1")).to.include({ reason: "" });
    const { config } = await node.client.unary("ModelConfig", { name: "warm" });
    expect(config!.maxBatchSize).to.be.above(0);
  });

  it("does not load a version whose states do not fit its model, and says why", () => {
    const { replicas } = registry.reports.at(-1)!;
    const { state, reason } = replicas.find(({ version }) => version === "models/wrong/versions/1")!;
    expect(state).to.equal("STATE_FAILED");
    expect(reason).to.equal(
      "the serving settings do not fit the model: the initial state of input 'state' has shape [-1, 3]; needed: [n, 2]",
    );
  });

  it("finishes what it took when a version is exchanged, and then knows its sequences no longer", async () => {
    const sums = [sum("single", 77, 1, { start: true }), ...[2, 3, 4].map((value) => sum("single", 77, value))];
    const limits = { queueRequestsMax: 100 };
    const exchanged = { ...assigned[0], settings: { ...accumulating, limits } };
    const before = registry.reports.length;
    registry.assign(exchanged, ...assigned.slice(1));
    expect((await Promise.all(sums)).map(([first]) => first)).to.deep.equal([1, 3, 6, 10]);
    const lost = async () => {
      for (;;) {
        const answer = await sum("single", 77, 0).catch(remoteFaultOf);
        if (!Array.isArray(answer)) return answer;
        await new Promise((resolve) => setImmediate(resolve));
      }
    };
    expect((await lost()).reason).to.equal("SEQUENCE_UNKNOWN");
    expect(registry.reports.length).to.be.above(before);
    expect(await sum("single", 77, 5, { start: true, end: true })).to.deep.equal([5, -5]);
  });

  it("says that it serves sequences", async () => {
    expect((await node.client.unary("ServerMetadata", {})).extensions).to.include("sequence");
  });
});
