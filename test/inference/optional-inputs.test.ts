import { expect } from "chai";
import { remoteFaultOf } from "../../lib/rpc/status.ts";
import { FakeRegistry } from "./fake-registry.ts";
import { defaultingModel, withExternalData } from "./models.ts";
import { emptyFolder, type RunningNode, startNode } from "./running-node.ts";
import { bytesOf, floatsOf } from "./wire.ts";

describe("an input with a default", () => {
  let registry: FakeRegistry;
  let folder: Awaited<ReturnType<typeof emptyFolder>>;
  let node: RunningNode;

  before(async () => {
    registry = new FakeRegistry();
    await registry.start();
    folder = await emptyFolder();
    node = await startNode(folder.path, registry.address);
    const { model, files } = withExternalData(defaultingModel([3, 4]), { w: { location: "w.bin", offset: 8 } });
    const externalFiles = [...files].map(([location, bytes]) => ({ location, ...registry.store(bytes) }));
    registry.assign(
      { model: "inside", version: 1, ...registry.store(defaultingModel([1, 2])), aliases: [] },
      { model: "outside", version: 1, ...registry.store(model), aliases: [], externalFiles },
    );
    await registry.reported(
      ({ replicas }) => replicas.length === 2 && replicas.every(({ state }) => state === "STATE_READY"),
    );
  });
  after(async () => {
    await node.stop();
    await registry.stop();
    await folder.remove();
  });

  /** The outputs for these inputs. */
  const infer = async (modelName: string, given: Record<string, readonly number[]>) => {
    const inputs = Object.entries(given).map(([name, { length }]) => {
      return { name, datatype: "FP32", shape: name === "x" ? [1, length] : [length] };
    });
    const rawInputContents = Object.values(given).map((numbers) => bytesOf(Float32Array.from(numbers)));
    const reply = await node.client.unary("ModelInfer", { modelName, inputs, rawInputContents });
    return reply.rawOutputContents.map(floatsOf);
  };

  for (const [model, defaults] of [
    ["inside", [1, 2]],
    ["outside", [3, 4]],
  ] as const) {
    it(`that the file keeps ${model} may be left out or given, call after call`, async () => {
      const [a, b] = defaults;
      for (let i = 0; i < 3; i++) {
        expect(await infer(model, { x: [i, 0] })).to.deep.equal([
          [i + a, b],
          [a, b],
        ]);
        expect(await infer(model, { x: [i, 0], w: [50, 60] })).to.deep.equal([
          [i + 50, 60],
          [50, 60],
        ]);
        expect(await infer(model, { w: [70, 80], x: [i, 0] })).to.deep.equal([
          [i + 70, 80],
          [70, 80],
        ]);
      }
    });
  }

  it("is listed like the others", async () => {
    const { inputs } = await node.client.unary("ModelMetadata", { name: "inside" });
    expect(inputs.map(({ name, shape }) => [name, shape])).to.deep.equal([
      ["x", ["-1", "2"]],
      ["w", ["2"]],
    ]);
  });

  for (const [what, given, text] of [
    [
      "instead of one without",
      { w: [1, 2] },
      "expected 1 to 2 inputs but got 1 inputs for model 'inside'; missing: 'x'",
    ],
    ["in another shape", { x: [1, 2], w: [1, 2, 3] }, "input 'w' of model 'inside' has shape [3]; needed: [2]"],
  ] as const) {
    it(`cannot be given ${what}`, async () => {
      const fault = await infer("inside", given).then(() => expect.fail("it was accepted"), remoteFaultOf);
      expect(fault).to.include({ reason: "TENSOR_INVALID", message: text });
    });
  }
});
