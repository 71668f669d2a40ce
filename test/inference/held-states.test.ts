import { expect } from "chai";
import fc from "fast-check";
import type { ServingSettings } from "../../lib/gen/amaas/registry/v1/ServingSettings.ts";
import type { ModelInferRequest } from "../../lib/gen/inference/ModelInferRequest.ts";
import type { ModelStreamInferResponse__Output as StreamResponse } from "../../lib/gen/inference/ModelStreamInferResponse.ts";
import { remoteFaultOf } from "../../lib/rpc/status.ts";
import { childProcesses } from "../child-processes.ts";
import { DeviceNode } from "./device-node.ts";
import type { AssignedVersion } from "./fake-registry.ts";
import { useSoftwareVulkan } from "./software-vulkan.ts";
import { accumulating, accumulatorModel, countdownModel, countingDown, historyModel } from "./stateful-models.ts";
import { bytesOf, floatsOf } from "./wire.ts";

/** Those of six rows. */
const stateBytesMax = 48;

describe("a node with states on a device (on software Vulkan, where there is some)", function () {
  this.timeout(120_000);
  let restore: (() => void) | undefined;
  let node: DeviceNode;
  let assigned: AssignedVersion[];

  before(async function () {
    restore = useSoftwareVulkan();
    if (restore === undefined) this.skip();
    node = await DeviceNode.start(["webgpu", "cpu"], { stateBytesMax });
    const accumulator = accumulatorModel();
    const doubling = {
      ...accumulating,
      decoupled: { feedbacks: [{ outputName: "y", inputName: "x" }], maxResponses: 9 },
    };
    const history = { states: [{ inputName: "history", outputName: "grown", initialShape: [-1, 0] }] };
    const versions: readonly [string, Uint8Array, ServingSettings][] = [
      ["sums", accumulator, { ...accumulating, dynamicBatching: { maxBatchSize: 8 }, warmUps: [{ rows: 2 }] }],
      ["doubling", accumulator, doubling],
      ["history", historyModel(), { sequenceBatching: history }],
      ["countdown", countdownModel("FP32"), countingDown],
    ];
    assigned = versions.flatMap(([model, bytes, settings]) => [
      { ...node.version(`${model}-device`, bytes, ["webgpu", "cpu"]), settings },
      { ...node.version(`${model}-host`, bytes, ["cpu"]), settings },
    ]);
    const apart = { ...accumulating, isolation: "ISOLATION_PROCESS" as const };
    assigned.push({ ...node.version("apart-device", accumulator, ["webgpu"]), settings: apart });
    node.registry.assign(...assigned);
    for (const [model] of versions) {
      expect((await node.placed(`${model}-device`)).on).to.match(/^webgpu/);
      expect((await node.placed(`${model}-host`)).on).to.equal("cpu");
    }
    expect((await node.placed("apart-device")).on).to.equal("webgpu");
  });
  after(async () => {
    await node?.stop();
    restore?.();
  });

  interface Step {
    readonly id: number;
    readonly values: readonly number[];
    readonly start: boolean;
    readonly end: boolean;
  }
  const requestOf = (modelName: string, { id, values, start, end }: Step, columns = 2): ModelInferRequest => ({
    modelName,
    inputs: [{ name: "x", datatype: "FP32", shape: [values.length / columns, columns] }],
    rawInputContents: [bytesOf(Float32Array.from(values))],
    parameters: {
      sequence_id: { uint64Param: id },
      sequence_start: { boolParam: start },
      sequence_end: { boolParam: end },
    },
  });
  /** The first output, or the reason why there is none. */
  const infer = (request: ModelInferRequest): Promise<unknown> =>
    node.client.unary("ModelInfer", request, { timeoutMs: 60_000 }).then(
      ({ rawOutputContents: [y] }) => floatsOf(y),
      (thrown) => remoteFaultOf(thrown).reason,
    );
  const step = (id: number, value: number, bounds: Partial<Step> = {}): Step => ({
    ...{ id, values: [value, -value], start: false, end: false },
    ...bounds,
  });
  const figure = (name: string, model: string) => node.figure(`amaas_inference_${name}{model="${model}",version="1"}`);

  it("gives what one with states in the memory of the host gives, in whatever order requests come", async () => {
    const steps = fc.array(
      fc.record({
        id: fc.integer({ min: 1, max: 3 }),
        values: fc.constantFrom([1, 2], [3, 4], [5, 6, 7, 8]),
        start: fc.nat(3).map((n) => n === 0),
        end: fc.nat(5).map((n) => n === 0),
      }),
      { minLength: 1, maxLength: 30 },
    );
    await fc.assert(
      fc.asyncProperty(steps, async (sent) => {
        const all = [...sent, ...[1, 2, 3].map((id) => step(id, 0, { start: true, end: true }))];
        const answers = async (model: string) => Promise.all(all.map((one) => infer(requestOf(model, one))));
        expect(await answers("sums-device")).to.deep.equal(await answers("sums-host"));
        expect(await figure("sequence_state_bytes", "sums-device")).to.equal(0);
      }),
      { numRuns: 15 },
    );
  });

  it("keeps states that grow, of which the first is empty, and some outputs on the CPU", async () => {
    for (const model of ["history-device", "history-host"]) {
      const counts: unknown[] = [];
      for (const [start, end] of [
        [true, false],
        [false, false],
        [false, true],
      ]) {
        const request = requestOf(model, { id: 1, values: [1], start, end }, 1);
        const { rawOutputContents } = await node.client.unary("ModelInfer", request, { timeoutMs: 60_000 });
        counts.push(rawOutputContents[0].readBigInt64LE());
      }
      expect(counts).to.deep.equal([1n, 2n, 3n]);
    }
  });

  it("counts them where others are counted, and takes no more than fit", async () => {
    const start = { values: [1, 1, 1, 1], start: true };
    for (const id of [1, 2, 3])
      expect(await infer(requestOf("sums-device", step(id, 0, start)))).to.deep.equal([1, 1, 1, 1]);
    expect(await figure("sequence_state_bytes", "sums-device")).to.equal(stateBytesMax);
    expect(await infer(requestOf("sums-device", step(4, 1, { start: true })))).to.equal("QUEUE_FULL");
    expect(await infer(requestOf("sums-device", step(1, 0, { values: [2, 2, 2, 2], end: true })))).to.deep.equal([
      3, 3, 3, 3,
    ]);
    expect(await infer(requestOf("sums-device", step(4, 1, { start: true, end: true })))).to.deep.equal([1, -1]);
    for (const id of [2, 3]) await infer(requestOf("sums-device", step(id, 0, { ...start, end: true })));
    expect(await figure("sequence_state_bytes", "sums-device")).to.equal(0);
  });

  const replies = async (request: ModelInferRequest): Promise<readonly Buffer[]> => {
    const stream = node.client.duplex("ModelStreamInfer", { timeoutMs: 60_000 });
    await stream.write(request);
    stream.end();
    const all: StreamResponse[] = [];
    for await (const reply of stream.replies) all.push(reply as StreamResponse);
    return all.map(({ inferResponse }) => inferResponse!.rawOutputContents[0]);
  };

  it("feeds back what a device keeps, whether or not it is wanted too", async () => {
    for (const place of ["device", "host"]) {
      const { parameters: _, ...countdown } = requestOf(`countdown-${place}`, step(0, 0, { values: [4] }), 1);
      const left = await replies({ ...countdown, outputs: [{ name: "left" }] });
      expect(left.map(floatsOf)).to.deep.equal([[3], [2], [1], [0]]);
      const done = await replies({ ...countdown, outputs: [{ name: "done" }] });
      expect(done.map(([byte]) => byte)).to.deep.equal([0, 0, 0, 1]);
    }
  });

  it("loops with states, also where the caller goes and another goes on", async () => {
    for (const place of ["device", "host"]) {
      const doubling = async (one: Step) => (await replies(requestOf(`doubling-${place}`, one))).map(floatsOf);
      const powers = [1, 2, 4, 8, 16, 32, 64, 128, 256].map((power) => [power, -power]);
      expect(await doubling(step(1, 1, { start: true }))).to.deep.equal(powers);
      const [first] = await doubling(step(1, 1, { end: true }));
      expect(first).to.deep.equal([257, -257]);
      const stream = node.client.duplex("ModelStreamInfer", { timeoutMs: 60_000 });
      await stream.write(requestOf(`doubling-${place}`, step(2, 1, { start: true })));
      await stream.replies[Symbol.asyncIterator]().next();
      stream.cancel();
      const [[next]] = await doubling(step(2, 0, { end: true }));
      expect(Math.log2(next)).to.be.within(0, 8).and.to.satisfy(Number.isInteger);
      expect(await figure("sequence_state_bytes", `doubling-${place}`)).to.equal(0);
    }
  });

  it("knows a sequence no longer whose states were lost with their session", async () => {
    const apart = (...sent: Parameters<typeof step>) => infer(requestOf("apart-device", step(...sent)));
    expect(await apart(1, 1, { start: true })).to.deep.equal([1, -1]);
    expect(await apart(2, 1, { start: true })).to.deep.equal([1, -1]);
    const [session] = childProcesses("services/inference/worker/process");
    expect(await figure("sequences", "apart-device")).to.equal(2);
    process.kill(session, "SIGKILL");
    while ((await figure("sequences", "apart-device")) !== 0) await turn();
    expect(await figure("sequence_state_bytes", "apart-device")).to.equal(0);
    expect(await apart(1, 2)).to.equal("SEQUENCE_UNKNOWN");
    expect(await apart(1, 5, { start: true })).to.deep.equal([5, -5]);
    expect(await apart(1, 2, { end: true })).to.deep.equal([7, -7]);
    expect(await apart(2, 2)).to.equal("SEQUENCE_UNKNOWN");
  });

  it("unloads a version with sequences under way, and knows them no longer when it is back", async () => {
    const reason = (outcome: unknown) => (Array.isArray(outcome) ? "answer" : outcome);
    await infer(requestOf("sums-device", step(1, 1, { start: true })));
    await infer(requestOf("sums-device", step(2, 1, { start: true })));
    const underWay = Array.from({ length: 20 }, () => infer(requestOf("sums-device", step(1, 1))));
    const endless = replies(requestOf("doubling-device", step(1, 1, { start: true })));
    node.registry.assign();
    for (const outcome of await Promise.all(underWay))
      expect(reason(outcome)).to.be.oneOf(["answer", "MODEL_NOT_READY", "MODEL_NOT_FOUND"]);
    expect((await endless).length).to.be.within(1, 9);
    await node.registry.reported(({ replicas }) => replicas.length === 0);
    node.registry.assign(...assigned);
    expect((await node.placed("sums-device")).on).to.equal("webgpu");
    for (const id of [1, 2]) expect(await infer(requestOf("sums-device", step(id, 1)))).to.equal("SEQUENCE_UNKNOWN");
    expect(await infer(requestOf("sums-device", step(1, 1, { start: true, end: true })))).to.deep.equal([1, -1]);
  });
});

const turn = () => new Promise((resolve) => setTimeout(resolve, 5));
