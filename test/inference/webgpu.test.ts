import { expect } from "chai";
import { InferenceSession, Tensor } from "onnxruntime-node";
import { FakeRegistry } from "./fake-registry.ts";
import { networkModel, partlyDoubleModel } from "./models.ts";
import { emptyFolder, type RunningNode, startNode } from "./running-node.ts";
import { useSoftwareVulkan } from "./software-vulkan.ts";
import { bytesOf, floatsOf } from "./wire.ts";

describe("a node with WebGPU (on software Vulkan, where there is some)", function () {
  this.timeout(120_000);
  let restore: (() => void) | undefined;
  let registry: FakeRegistry;
  let folder: Awaited<ReturnType<typeof emptyFolder>>;
  let node: RunningNode;

  before(async function () {
    restore = useSoftwareVulkan();
    if (restore === undefined) this.skip();
    registry = new FakeRegistry();
    await registry.start();
    folder = await emptyFolder();
    node = await startNode(folder.path, registry.address, { executionProviders: ["webgpu", "cpu"] });
  });
  after(async () => {
    if (restore === undefined) return;
    await node.stop();
    await registry.stop();
    await folder.remove();
    restore();
  });

  const infer = async (modelName: string, columns: number, input: Float32Array): Promise<number[]> => {
    const inputs = [{ name: "x", datatype: "FP32", shape: [input.length / columns, columns] }];
    const request = { modelName, inputs, rawInputContents: [bytesOf(input)] };
    return floatsOf((await node.client.unary("ModelInfer", request, { timeoutMs: 60_000 })).rawOutputContents[0]);
  };
  const onCpu = async (model: Uint8Array, columns: number, input: Float32Array) => {
    const bare = await InferenceSession.create(model);
    const { y } = await bare.run({ x: new Tensor("float32", input, [input.length / columns, columns]) });
    await bare.release();
    return y.data as Float32Array;
  };
  const placed = async (model: string) => {
    const { replicas } = await registry.reported(({ replicas }) =>
      replicas.some(({ version, state }) => version === `models/${model}/versions/1` && state !== "STATE_LOADING"),
    );
    const { state, reason, executionProvider, fallbackExecutionProviders } = replicas.find(
      ({ version }) => version === `models/${model}/versions/1`,
    )!;
    return { state, reason, on: [executionProvider, ...fallbackExecutionProviders].join("+") };
  };
  const version = (model: string, bytes: Uint8Array, executionProviders: string[]) => ({
    ...{ model, version: 1, ...registry.store(bytes), aliases: [], executionProviders },
  });

  it("offers it", async () => {
    const { capabilities } = await registry.reported(() => true);
    expect(capabilities!.executionProviders).to.deep.equal(["webgpu", "cpu"]);
  });

  it("runs a model on it, in several sessions that take turns, beside others on the CPU", async () => {
    const model = networkModel(3);
    const instanceGroups = [
      { executionProvider: "webgpu", count: 3 },
      { executionProvider: "cpu", count: 1 },
    ];
    registry.assign(
      { ...version("device", model, ["webgpu", "cpu"]), settings: { instanceGroups } },
      { ...version("host", model, ["cpu", "webgpu"]), settings: { instanceGroups } },
    );
    expect(await placed("device")).to.deep.equal({ state: "STATE_READY", reason: "", on: "webgpu" });
    expect(await placed("host")).to.deep.equal({ state: "STATE_READY", reason: "", on: "cpu" });
    const input = Float32Array.from({ length: 5 * 64 }, (_, index) => Math.sin(index));
    const expected = await onCpu(model, 64, input);
    const names = Array.from({ length: 60 }, (_, index) => (index % 4 === 0 ? "host" : "device"));
    for (const output of await Promise.all(names.map((name) => infer(name, 64, input)))) {
      expect(Math.max(...output.map((value, index) => Math.abs(value - expected[index])))).to.be.below(1e-5);
    }
  });

  it("shares a model with the CPU only where the CPU comes after it, and says so", async () => {
    const model = partlyDoubleModel();
    registry.assign(version("shared", model, ["webgpu", "cpu"]), version("alone", model, ["webgpu"]));
    expect(await placed("shared")).to.deep.equal({ state: "STATE_READY", reason: "", on: "webgpu+cpu" });
    const { state, reason } = await placed("alone");
    expect([state, reason]).to.deep.equal([
      "STATE_FAILED",
      "webgpu cannot run all nodes of the model, and nothing else may take the rest",
    ]);
    const input = Float32Array.of(1, -2, 0.5, 0);
    const expected = [...(await onCpu(model, 4, input))];
    expect((await infer("shared", 4, input)).map((value) => value.toFixed(5))).to.deep.equal(
      expected.map((value) => value.toFixed(5)),
    );
  });
});
