import { expect } from "chai";
import { ServiceError } from "../../lib/errors.ts";
import { statusOf } from "../../lib/rpc/status.ts";
import { FakeNode } from "./fake-node.ts";
import { FakeRegistry } from "./fake-registry.ts";
import { emptyFolder, Harness, routeOf } from "./harness.ts";

describe("a gateway with several replicas", () => {
  let folder: Awaited<ReturnType<typeof emptyFolder>>;
  let nodes: FakeNode[];
  let registry: FakeRegistry;
  let gateway: Harness;

  beforeEach(async () => {
    folder = await emptyFolder();
    nodes = await Promise.all([1, 2, 3].map(() => new FakeNode().start()));
    const versions = { 1: nodes.map(({ address }) => address) };
    registry = await new FakeRegistry([routeOf("digits", versions, { default: 1 })]).start();
    for (const [index, { address }] of nodes.entries()) {
      registry.tell({ address, zone: index === 0 ? "near" : "far", capacity: 4 });
    }
  });
  const start = async (settings: Readonly<Record<string, string>> = {}) => {
    gateway = await Harness.start({
      AMAAS_DATA_DIR: folder.path,
      AMAAS_REGISTRY_ADDRESS: registry.address,
      ...settings,
    });
    await gateway.routed("digits");
    for (const node of nodes) node.calls.splice(0);
  };
  afterEach(async () => {
    await gateway.stop();
    await Promise.all([registry, ...nodes].map((fake) => fake.stop()));
    await folder.remove();
  });
  const infer = () => gateway.infer("ModelInfer", { modelName: "digits" });
  const counts = () => nodes.map(({ calls }) => calls.length);

  it("stops asking one that fails, and nobody notices", async () => {
    await start();
    nodes[1]!.handle = (_, reply) => reply(statusOf(new ServiceError("WORKER_LOST", "it died")));
    for (let count = 0; count < 200; count++) await infer();
    const [first, failing, third] = counts();
    expect(failing).to.be.within(1, 5);
    expect(first! + third!).to.equal(200);
  });

  it("asks those of its own zone, and others where they have enough to do", async () => {
    await start({ AMAAS_ZONE: "near" });
    for (let count = 0; count < 20; count++) await infer();
    expect(counts()).to.deep.equal([20, 0, 0]);
    const waiting: (() => void)[] = [];
    nodes[0]!.handle = (call, reply) => waiting.push(() => reply(null, call.request));
    const calls = Array.from({ length: 12 }, infer);
    while (counts().reduce((sum, count) => sum + count, 0) < 32) await new Promise(setImmediate);
    for (const answer of waiting) answer();
    await Promise.all(calls);
    expect(counts()[0]).to.be.within(24, 30);
  });
});
