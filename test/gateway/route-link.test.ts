import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { expect } from "chai";
import { FakeNode } from "./fake-node.ts";
import { FakeRegistry } from "./fake-registry.ts";
import { emptyFolder, eventually, Harness, routeOf } from "./harness.ts";

describe("the gateway's route table", () => {
  let folder: Awaited<ReturnType<typeof emptyFolder>>;
  let node: FakeNode;
  let registry: FakeRegistry;
  let gateway: Harness;

  const start = () => Harness.start({ AMAAS_DATA_DIR: folder.path, AMAAS_REGISTRY_ADDRESS: registry.address });
  const asked = () => registry.asked.map(({ epoch, afterSequence }) => [epoch, afterSequence]);
  const route = (model: string) => routeOf(model, { 1: [node.address] }, { default: 1 });
  /** Settles once so many streams were opened. */
  const opened = (count: number) => eventually(() => expect(registry.asked).to.have.length.of.at.least(count));
  const version = async (model: string) =>
    (await gateway.infer("ModelInfer", { modelName: model })).metadata.get("amaas-version")[0];

  beforeEach(async () => {
    folder = await emptyFolder();
    node = await new FakeNode().start();
    registry = new FakeRegistry([route("digits")]);
    registry.epoch = "first";
    await registry.start();
    gateway = await start();
    await gateway.routed("digits");
  });

  afterEach(async () => {
    await gateway.stop();
    await Promise.all([registry.stop(), node.stop()]);
    await folder.remove();
  });

  it("begins with a snapshot, and goes on behind its last step after a break of the stream", async () => {
    registry.change(route("second"));
    await gateway.routed("second");
    registry.cut();
    await opened(2);
    expect(asked()).to.deep.equal([
      ["", 0],
      ["first", 2],
    ]);
    registry.change(route("third"));
    await gateway.routed("third");
    await gateway.routed("digits");
  });

  it("gets what it has missed, and keeps what has not changed", async () => {
    const port = Number(registry.address.split(":")[1]);
    await registry.stop();
    const again = new FakeRegistry([route("other")], {}, port);
    again.epoch = "first";
    again.change(route("missed"));
    again.stride = 5;
    again.change(route("missed too"));
    registry = await again.start();
    await gateway.routed("missed");
    await gateway.routed("missed too");
    // The snapshot of the new one would not have it.
    await gateway.routed("digits");
    expect(asked()).to.deep.equal([["first", 1]]);
    registry.cut();
    await opened(2);
    expect(asked()[1]).to.deep.equal(["first", 7]);
  });

  it("is kept with its position through a restart", async () => {
    registry.change(route("second"));
    await gateway.routed("second");
    await gateway.stop();
    const text = await readFile(join(folder.path, "gateway", "routes.json"), "utf8");
    expect(JSON.parse(text)).to.deep.include({ epoch: "first", sequence: 2 });
    gateway = await start();
    await opened(2);
    expect(asked()[1]).to.deep.equal(["first", 2]);
    expect(await version("second")).to.equal("1");
  });

  it("is replaced by a registry of another epoch", async () => {
    registry.epoch = "second";
    registry.sequence = 0;
    registry.remove("digits");
    registry.change(route("fresh"));
    registry.cut();
    await gateway.routed("fresh");
    expect(asked().at(-1)).to.deep.equal(["first", 1]);
    await eventually(async () => {
      const found = await version("digits").catch(() => "gone");
      if (found !== "gone") throw new Error("it is still there");
    });
  });

  for (const [what, confuse] of [
    ["a number that does not grow", () => (registry.stride = 0)],
    ["a step of another epoch", () => (registry.epoch = "second")],
  ] as const) {
    it(`is asked for as a whole after ${what}, which changes nothing`, async () => {
      confuse();
      registry.push({ changed: routeOf("digits", { 2: [node.address] }, { default: 2 }) });
      await opened(2);
      expect(asked()[1]).to.deep.equal(["", 0]);
      expect(await version("digits")).to.equal("1");
      registry.stride = 1;
      registry.change(route("second"));
      await gateway.routed("second");
      registry.cut();
      await opened(3);
      expect(asked()[2]).to.deep.equal([registry.epoch, registry.sequence]);
    });
  }

  it("is asked for as a whole after a stream that goes on where nothing was", async () => {
    registry.push({ resumed: {} });
    await opened(2);
    expect(asked()[1]).to.deep.equal(["", 0]);
  });

  it("knows nodes and how models are routed, from a snapshot, from steps and from its file", async () => {
    const limits = { requestsPerSecond: 0.5, concurrentRequests: 2, rowsPerSecond: 0, bytesPerSecond: 1e9 };
    registry.tell({ address: node.address, zone: "eu-1", capacity: 8 });
    registry.change({ ...route("routed"), traffic: { stickyKey: "user", hedging: { delayMsMin: 5 }, total: limits } });
    await gateway.routed("routed");
    const kept = async () => {
      await gateway.stop();
      const text = await readFile(join(folder.path, "gateway", "routes.json"), "utf8");
      const { nodes, models } = JSON.parse(text) as {
        nodes: unknown[];
        models: { model: string; traffic?: unknown }[];
      };
      return { nodes, traffic: Object.fromEntries(models.map(({ model, traffic }) => [model, traffic])) };
    };
    const set = { defaultTimeoutMs: 0, stickyKey: "user", versionOverride: false };
    const traffic = { ...set, hedging: { quantile: 0.95, delayMsMin: 5 }, total: limits };
    const whole = {
      nodes: [{ address: node.address, zone: "eu-1", capacity: 8 }],
      traffic: { digits: undefined, routed: traffic },
    };
    expect(await kept()).to.deep.equal(whole);
    gateway = await start();
    await opened(2);
    registry.tell({ address: "n:2", zone: "", capacity: 1 });
    registry.change(route("after"));
    await gateway.routed("after");
    const more = [...whole.nodes, { address: "n:2", zone: "", capacity: 1 }];
    expect(await kept()).to.deep.equal({ nodes: more, traffic: { ...whole.traffic, after: undefined } });
    registry.epoch = "second";
    gateway = await start();
    await opened(3);
    registry.change(route("last"));
    await gateway.routed("last");
    expect((await kept()).nodes).to.deep.equal(more);
  });

  it("keeps mirrors", async () => {
    const mirrored = route("mirrored");
    mirrored.versions!.push({ version: 2, addresses: [node.address] });
    mirrored.aliases!.default.mirrors = [{ version: 2, share: 0.5 }];
    registry.change(mirrored);
    await gateway.routed("mirrored");
    await gateway.stop();
    expect(await readFile(join(folder.path, "gateway", "routes.json"), "utf8")).to.contain(
      '"mirrors":[{"version":2,"share":0.5}]',
    );
  });
});
