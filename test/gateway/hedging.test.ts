import { expect } from "chai";
import { FakeNode, type NodeHandler } from "./fake-node.ts";
import { FakeRegistry } from "./fake-registry.ts";
import { emptyFolder, Harness, routeOf } from "./harness.ts";

describe("a gateway that hedges", () => {
  let folder: Awaited<ReturnType<typeof emptyFolder>>;
  let nodes: FakeNode[];
  let registry: FakeRegistry;
  let gateway: Harness;

  beforeEach(async () => {
    folder = await emptyFolder();
    nodes = await Promise.all([new FakeNode().start(), new FakeNode().start()]);
    const versions = { 1: nodes.map(({ address }) => address) };
    const traffic = { hedging: { quantile: 0.95, delayMsMin: 5 } };
    registry = await new FakeRegistry([{ ...routeOf("digits", versions, { default: 1 }), traffic }]).start();
    gateway = await Harness.start({ AMAAS_DATA_DIR: folder.path, AMAAS_REGISTRY_ADDRESS: registry.address });
    await gateway.routed("digits");
  });

  afterEach(async () => {
    await gateway.stop();
    await Promise.all([registry, ...nodes].map((fake) => fake.stop()));
    await folder.remove();
  });

  it("asks another node too where the model's answers mostly come sooner", async () => {
    const infer = () => gateway.infer("ModelInfer", { modelName: "digits" });
    for (let count = 0; count < 100; count++) await infer();
    let isFirst = true;
    const handle: NodeHandler = (call, reply) => {
      if (isFirst) isFirst = false;
      else reply(null, call.request);
    };
    for (const node of nodes) {
      node.handle = handle;
      node.calls.splice(0);
    }
    await infer();
    expect(nodes.map(({ calls }) => calls.length)).to.deep.equal([1, 1]);
  });
});
