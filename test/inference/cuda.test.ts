import { expect } from "chai";
import { probedProviders } from "../../services/inference/worker/provider-probe.ts";
import { DeviceNode, distance, onCpu } from "./device-node.ts";
import { identityModel, networkModel } from "./models.ts";

for (const provider of ["cuda", "tensorrt"]) {
  describe(`a node with ${provider} (where it works)`, function () {
    this.timeout(300_000);
    let node: DeviceNode | undefined;

    before(async function () {
      const { executionProviders } = await probedProviders([provider], new AbortController().signal);
      if (executionProviders.length === 0) this.skip();
      node = await DeviceNode.start([provider, "cpu"]);
    });
    after(() => node?.stop());

    it("runs a model on it, in several sessions at once", async () => {
      const model = networkModel(3);
      const instanceGroups = [{ executionProvider: provider, count: 2 }];
      node!.registry.assign({ ...node!.version("device", model, [provider]), settings: { instanceGroups } });
      expect(await node!.placed("device")).to.deep.equal({ state: "STATE_READY", reason: "", on: provider });
      const input = Float32Array.from({ length: 5 * 64 }, (_, index) => Math.sin(index));
      const expected = await onCpu(model, 64, input);
      // Tensor cores round the factors of products to 10 bits.
      for (const output of await Promise.all(Array.from({ length: 20 }, () => node!.infer("device", 64, input)))) {
        expect(distance(output, expected)).to.be.below(5e-3);
      }
    });

    it("shares a model with the CPU only where the CPU comes after it, and says so", async () => {
      const texts = identityModel("BYTES", ["n"]);
      node!.registry.assign(
        node!.version("shared", texts, [provider, "cpu"]),
        node!.version("alone", texts, [provider]),
      );
      expect(await node!.placed("shared")).to.deep.equal({ state: "STATE_READY", reason: "", on: `${provider}+cpu` });
      expect((await node!.placed("alone")).reason).to.match(/cannot run all nodes of the model/);
    });
  });
}
