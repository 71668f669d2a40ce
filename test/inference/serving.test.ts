import { expect } from "chai";
import { FakeRegistry } from "./fake-registry.ts";
import { addingModel } from "./models.ts";
import { emptyFolder, type RunningNode, startNode } from "./running-node.ts";

describe("an inference node", () => {
  let registry: FakeRegistry;
  let folder: Awaited<ReturnType<typeof emptyFolder>>;
  let node: RunningNode;

  beforeEach(async () => {
    registry = new FakeRegistry();
    await registry.start();
    folder = await emptyFolder();
    node = await startNode(folder.path, registry.address);
  });

  afterEach(async () => {
    await node.stop();
    await registry.stop();
    await folder.remove();
  });

  it("serves a version once it was assigned", async () => {
    registry.assign({ model: "adding", version: 1, ...registry.store(addingModel(1)), aliases: ["default"] });
    await registry.reportedState("models/adding/versions/1", "STATE_READY");
    const reply = await node.client.unary("ModelInfer", {
      modelName: "adding",
      inputs: [{ name: "x", datatype: "FP32", shape: [1, 2] }],
      rawInputContents: [Buffer.from(Float32Array.of(1, 2).buffer)],
    });
    expect(reply).to.include({ modelName: "adding", modelVersion: "1" });
    const [raw] = reply.rawOutputContents;
    expect([...new Float32Array(raw.buffer.slice(raw.byteOffset, raw.byteOffset + raw.byteLength))]).to.deep.equal([
      2, 3,
    ]);
  });
});
