import { expect } from "chai";
import { DeviceNode, distance, onCpu } from "./device-node.ts";
import { networkModel, partlyDoubleModel } from "./models.ts";
import { useSoftwareVulkan } from "./software-vulkan.ts";

describe("a node with WebGPU (on software Vulkan, where there is some)", function () {
  this.timeout(120_000);
  let restore: (() => void) | undefined;
  let node: DeviceNode;

  before(async function () {
    restore = useSoftwareVulkan();
    if (restore === undefined) this.skip();
    node = await DeviceNode.start(["webgpu", "cpu"]);
  });
  after(async () => {
    await node?.stop();
    restore?.();
  });

  it("offers it", async () => {
    const { capabilities } = await node.registry.reported(() => true);
    expect(capabilities!.executionProviders).to.deep.equal(["webgpu", "cpu"]);
  });

  it("runs a model on it, in several sessions that take turns, beside others on the CPU", async () => {
    const model = networkModel(3);
    const instanceGroups = [
      { executionProvider: "webgpu", count: 3 },
      { executionProvider: "cpu", count: 1 },
    ];
    node.registry.assign(
      { ...node.version("device", model, ["webgpu", "cpu"]), settings: { instanceGroups } },
      { ...node.version("host", model, ["cpu", "webgpu"]), settings: { instanceGroups } },
    );
    expect(await node.placed("device")).to.deep.equal({ state: "STATE_READY", reason: "", on: "webgpu" });
    expect(await node.placed("host")).to.deep.equal({ state: "STATE_READY", reason: "", on: "cpu" });
    const input = Float32Array.from({ length: 5 * 64 }, (_, index) => Math.sin(index));
    const expected = await onCpu(model, 64, input);
    const names = Array.from({ length: 60 }, (_, index) => (index % 4 === 0 ? "host" : "device"));
    for (const output of await Promise.all(names.map((name) => node.infer(name, 64, input)))) {
      expect(distance(output, expected)).to.be.below(1e-5);
    }
  });

  it("shares a model with the CPU only where the CPU comes after it, and says so", async () => {
    const model = partlyDoubleModel();
    node.registry.assign(node.version("shared", model, ["webgpu", "cpu"]), node.version("alone", model, ["webgpu"]));
    expect(await node.placed("shared")).to.deep.equal({ state: "STATE_READY", reason: "", on: "webgpu+cpu" });
    const { state, reason } = await node.placed("alone");
    expect([state, reason]).to.deep.equal([
      "STATE_FAILED",
      "webgpu cannot run all nodes of the model, and nothing else may take the rest",
    ]);
    const input = Float32Array.of(1, -2, 0.5, 0);
    expect(distance(await node.infer("shared", 4, input), await onCpu(model, 4, input))).to.be.below(1e-5);
  });
});
