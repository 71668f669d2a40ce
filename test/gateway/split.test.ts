import { expect } from "chai";
import { FakeNode } from "./fake-node.ts";
import { FakeRegistry } from "./fake-registry.ts";
import { emptyFolder, Harness, routeOf } from "./harness.ts";

describe("the gateway, for an alias with several targets,", () => {
  let folder: Awaited<ReturnType<typeof emptyFolder>>;
  let nodes: FakeNode[];
  let registry: FakeRegistry;
  let gateway: Harness;

  beforeEach(async () => {
    folder = await emptyFolder();
    nodes = await Promise.all([new FakeNode().start(), new FakeNode().start()]);
    const [first, second] = nodes.map(({ address }) => address) as [string, string];
    const versions = { 1: [first], 2: [second], 3: "it is loading" };
    registry = await new FakeRegistry([
      routeOf("split", versions, { default: { 1: 3, 2: 1, 3: 96 }, later: { 3: 1 } }),
    ]).start();
    gateway = await Harness.start({ AMAAS_DATA_DIR: folder.path, AMAAS_REGISTRY_ADDRESS: registry.address });
    await gateway.routed("split");
    for (const node of nodes) node.calls.splice(0);
  });

  afterEach(async () => {
    await gateway.stop();
    await Promise.all([registry, ...nodes].map((fake) => fake.stop()));
    await folder.remove();
  });

  it("splits requests by weight over those that are ready, and marks each answer with its version", async () => {
    const replies = await Promise.all(
      Array.from({ length: 400 }, () => gateway.infer("ModelInfer", { modelName: "split" })),
    );
    const served = replies.map(({ metadata }) => metadata.get("amaas-version")[0]);
    const counts = nodes.map(({ calls }) => calls.length);
    expect(counts).to.deep.equal(["1", "2"].map((version) => served.filter((seen) => seen === version).length));
    // Six standard deviations of a binomial count.
    expect(Math.abs(counts[1]! - 100)).to.be.below(6 * Math.sqrt(400 * (3 / 16)));
  });

  it("says that the model is ready as soon as one of them is", async () => {
    const ready = async (version: string) => (await gateway.infer("ModelReady", { name: "split", version })).message;
    expect(await ready("")).not.to.deep.equal(Buffer.from([8, 0]));
    expect(await ready("later")).to.deep.equal(Buffer.from([8, 0]));
  });
});
