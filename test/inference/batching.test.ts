import { status } from "@grpc/grpc-js";
import { expect } from "chai";
import { InferenceSession, Tensor } from "onnxruntime-node";
import type { DynamicBatching } from "../../lib/gen/amaas/registry/v1/DynamicBatching.ts";
import type { GRPCInferenceServiceDefinition } from "../../lib/gen/inference/GRPCInferenceService.ts";
import type { ModelInferRequest } from "../../lib/gen/inference/ModelInferRequest.ts";
import { Random } from "../../lib/random.ts";
import { RpcClient } from "../../lib/rpc/client.ts";
import { remoteFaultOf } from "../../lib/rpc/status.ts";
import { type StartWorker, startInThread } from "../../services/inference/worker/worker-thread.ts";
import { FakeRegistry } from "./fake-registry.ts";
import { everyTypeModel, lookupModel, networkModel } from "./models.ts";
import { emptyFolder, type RunningNode, startNode } from "./running-node.ts";
import { bytesOf, floatsOf, rawTexts } from "./wire.ts";

const clientCount = 4;
const dynamicBatching: DynamicBatching = { maxBatchSize: 16, maxQueueDelayMicroseconds: 5000 };

describe("a node that joins the requests of concurrent clients", () => {
  let registry: FakeRegistry;
  let folder: Awaited<ReturnType<typeof emptyFolder>>;
  let node: RunningNode;
  let clients: RpcClient<GRPCInferenceServiceDefinition>[];
  /** The rows of every run, by the name of its first input. */
  let runs: { readonly input: string; readonly rows: number }[];

  before(async function () {
    this.timeout(60_000);
    registry = new FakeRegistry();
    await registry.start();
    folder = await emptyFolder();
    const observed: StartWorker = (start) => {
      const worker = startInThread(start, undefined);
      return {
        on: worker.on.bind(worker),
        poll: () => worker.poll?.(),
        postMessage: (...[request, transfer]: Parameters<typeof worker.postMessage>) => {
          if (request.kind === "run") runs.push({ input: request.inputs[0].name, rows: request.inputs[0].shape[0] });
          worker.postMessage(request, transfer);
        },
      };
    };
    node = await startNode(folder.path, registry.address, {}, { startWorker: observed });
    const models = {
      network: networkModel(1),
      lookup: lookupModel(),
      mixed: everyTypeModel(["INT16", "BYTES", "FP32"], ["n", "width"]),
      fixed: everyTypeModel(["INT32"], [1, 2]),
    };
    const settings = { dynamicBatching };
    registry.assign(
      ...Object.entries(models).map(([model, bytes]) => ({
        model,
        version: 1,
        ...registry.store(bytes),
        aliases: ["default"],
        settings,
      })),
    );
    await registry.reported(
      ({ replicas }) => replicas.length === 4 && replicas.every(({ state }) => state === "STATE_READY"),
    );
    clients = Array.from({ length: clientCount }, () => {
      return new RpcClient<GRPCInferenceServiceDefinition>("inference.GRPCInferenceService", node.address);
    });
  });

  beforeEach(() => {
    runs = [];
  });

  after(async () => {
    for (const client of clients) client.close();
    await node.stop();
    await registry.stop();
    await folder.remove();
  });

  /** Sends everything at once, by all clients in turn. */
  const inferAll = (requests: readonly ModelInferRequest[]) =>
    Promise.all(
      requests.map((request, index) =>
        clients[index % clientCount].unary("ModelInfer", request, { timeoutMs: 10_000 }).catch(remoteFaultOf),
      ),
    );
  const outputsOf = (reply: Awaited<ReturnType<typeof inferAll>>[number]) =>
    "rawOutputContents" in reply ? reply.rawOutputContents : expect.fail(reply.message);

  it("gives each what the bare runtime gives for its rows alone", async () => {
    const bare = await InferenceSession.create(networkModel(1));
    const random = new Random(7, "inputs");
    const inputs = Array.from({ length: 200 }, () =>
      Float32Array.from({ length: 64 * (1 + random.below(4)) }, () => random.uniform() - 0.5),
    );
    const replies = await inferAll(
      inputs.map((input) => ({
        modelName: "network",
        inputs: [{ name: "x", datatype: "FP32", shape: [input.length / 64, 64] }],
        rawInputContents: [bytesOf(input)],
      })),
    );
    for (const [index, input] of inputs.entries()) {
      const { y } = await bare.run({ x: new Tensor("float32", input, [input.length / 64, 64]) });
      const [seen] = outputsOf(replies[index]).map(floatsOf);
      expect(seen.length).to.equal(y.size);
      for (const [at, value] of seen.entries()) expect(value).to.be.closeTo(y.data[at] as number, 1e-6);
    }
    await bare.release();
    expect(runs.length).to.be.lessThan(inputs.length / 3);
    expect(Math.max(...runs.map(({ rows }) => rows))).to.be.within(2, 16);
  });

  it("gives each its own elements of several types, texts too, in buckets of equal width", async () => {
    const random = new Random(8, "elements");
    const requests = Array.from({ length: 200 }, (_, index) => {
      const shape = [1 + random.below(3), 1 + random.below(3)];
      const count = shape[0] * shape[1];
      const texts = Array.from({ length: count }, (_, at) => `${"ä".repeat(random.below(4))}${index}.${at}`);
      const inputs = ["INT16", "BYTES", "FP32"].map((datatype) => ({ name: `x_${datatype}`, datatype, shape }));
      const integers = Int16Array.from({ length: count }, (_, at) => 100 * index + at);
      const floats = Float32Array.from({ length: count }, () => random.uniform());
      return { modelName: "mixed", inputs, rawInputContents: [bytesOf(integers), rawTexts(...texts), bytesOf(floats)] };
    });
    const replies = await inferAll(requests);
    expect(replies.map(outputsOf)).to.deep.equal(requests.map(({ rawInputContents }) => rawInputContents));
    expect(runs.length).to.be.lessThan(requests.length / 2);
  });

  it("lets no bad request fail its neighbours", async () => {
    const indices = Array.from({ length: 100 }, (_, index) => (index % 10 === 3 ? 99 : index % 3));
    const replies = await inferAll(
      indices.map((index) => ({
        modelName: "lookup",
        inputs: [{ name: "x", datatype: "INT64", shape: [1], contents: { int64Contents: [index] } }],
      })),
    );
    const seen = replies.map((reply) =>
      "rawOutputContents" in reply ? floatsOf(reply.rawOutputContents[0])[0] : status[reply.code],
    );
    expect(seen).to.deep.equal(indices.map((index) => [10, 20, 30][index] ?? "INVALID_ARGUMENT"));
    expect(runs.some(({ rows }) => rows > 1)).to.equal(true);
  });

  it("refuses a request with more rows than a batch", async () => {
    const inputs = [{ name: "x", datatype: "FP32", shape: [17, 64] }];
    const rawInputContents = [Buffer.alloc(17 * 64 * 4)];
    const [fault] = await inferAll([{ modelName: "network", inputs, rawInputContents }]);
    expect(fault).to.deep.include({
      code: status.INVALID_ARGUMENT,
      message: "inference request batch-size must be <= 16; it is 17",
    });
  });

  it("runs each request alone, and at once, where the model's first axis is not symbolic", async () => {
    const requests = Array.from({ length: 20 }, (_, index) => ({
      modelName: "fixed",
      inputs: [{ name: "x_INT32", datatype: "INT32", shape: [1, 2] }],
      rawInputContents: [bytesOf(Int32Array.of(index, -index))],
    }));
    const replies = await inferAll(requests);
    expect(replies.map(outputsOf)).to.deep.equal(requests.map(({ rawInputContents }) => rawInputContents));
    expect(runs.map(({ rows }) => rows)).to.deep.equal(Array(20).fill(1));
  });

  it("finds the size of batches by measurement where nobody has set one, before the version is ready", async () => {
    const bytes = registry.store(networkModel(1));
    registry.assign({ model: "measured", version: 1, ...bytes, aliases: [], settings: { dynamicBatching: {} } });
    await registry.reportedState("models/measured/versions/1", "STATE_READY");
    const sizes = runs.map(({ rows }) => rows);
    expect(sizes.slice(0, 7)).to.deep.equal([1, 1, 1, 1, 2, 2, 2]);
    expect(sizes.every((size, index) => index === 0 || [1, 2].includes(size / sizes[index - 1]))).to.equal(true);
  });
});
