import { status } from "@grpc/grpc-js";
import { expect } from "chai";
import { type PostgresServer, startPostgres } from "../postgres.ts";
import { ConnectedNode } from "./connected-node.ts";
import { addingModel } from "./onnx-files.ts";
import { spawnRegistry } from "./registry-process.ts";
import { RouteWatcher } from "./route-watcher.ts";
import { clientsOf, emptyFolder, publish, type RunningRegistry, startRegistry } from "./running-registry.ts";

/** Within which time a change of the fleet has to reach the gateways of another registry. */
const msMax = 1000;
/** Within which time a node that says nothing any more is out of all routes. */
const silenceMsMax = 3000;

describe("the fleet of two registries on one PostgreSQL", function () {
  this.timeout(60_000);

  let server: PostgresServer;
  let settings: Record<string, string>;
  let folders: readonly Awaited<ReturnType<typeof emptyFolder>>[];
  let [one, other]: RunningRegistry[] = [];

  before(async () => {
    server = await startPostgres();
  });

  after(() => server.stop());

  beforeEach(async () => {
    folders = [await emptyFolder(), await emptyFolder()];
    const AMAAS_DATABASE_URL = await server.createDatabase();
    settings = { AMAAS_DATABASE_URL, AMAAS_DATABASE_TIMEOUT_MS: "1000", AMAAS_REPLICAS_PER_VERSION: "4" };
    one = await startRegistry(folders[0]!.path, settings);
    await publish(one.registry, "m", addingModel(1));
    other = await startRegistry(folders[1]!.path, settings);
  });

  afterEach(async () => {
    for (const running of [one!, other!]) await running.stop();
    for (const folder of folders) await folder.remove();
  });

  const readyNode = async (running: Pick<RunningRegistry, "control">, id: string, isTalkative = true) => {
    const node = new ConnectedNode(running.control, id);
    await node.report({ "m/1": "STATE_READY" });
    await node.isAssigned("m/1");
    if (isTalkative) node.keepReporting();
    return node;
  };
  const within = async (limitMs: number, ...changes: Promise<void>[]) => {
    const beginMs = performance.now();
    await Promise.all(changes);
    expect(performance.now() - beginMs).to.be.below(limitMs);
  };
  /** Where version 1 was ready, step by step. */
  const stepsOf = ({ steps }: RouteWatcher) =>
    steps.messages
      .filter(({ step }) => step !== "node")
      .map(({ snapshot, changed }) => (changed ?? snapshot?.models[0])?.versions[0]?.addresses.join(" "));
  const nodesOf = async ({ registry }: RunningRegistry) =>
    (await registry.unary("ListNodes", {})).nodes.map(({ name, replicas }) => [name, replicas[0]?.state]);

  it("is known to both: what a node of one holds, and that it leaves, reaches gateways of the other within a second", async () => {
    const watcher = new RouteWatcher(other!.control);
    const node = await readyNode(one!, "n1");
    await watcher.are({ "m/1": ["n1:1"] });
    expect(await nodesOf(other!)).to.deep.equal([["nodes/n1", "STATE_READY"]]);
    for (const [state, addresses] of [["STATE_FAILED", []] as const, ["STATE_READY", ["n1:1"]] as const]) {
      await node.report({ "m/1": state });
      await within(msMax, watcher.are({ "m/1": addresses }));
    }
    await node.report({ "m/1": "STATE_READY" }, { draining: true });
    await within(msMax, watcher.are({ "m/1": [] }));
    await node.report({ "m/1": "STATE_READY" });
    await within(msMax, watcher.are({ "m/1": ["n1:1"] }));
    node.cut();
    await within(msMax, watcher.are({ "m/1": [] }));
    expect(await nodesOf(other!)).to.deep.equal([]);
  });

  it("is placed as one: every version has two replicas, wherever their nodes are connected", async () => {
    const models = ["a", "b", "c", "d", "e", "f"];
    for (const model of models) await publish(one!.registry, model, addingModel(1));
    for (const model of [...models, "m"]) {
      const name = `models/${model}/servingSettings`;
      await other!.registry.unary("UpdateServingSettings", { settings: { name, replicas: 2 } });
    }
    const nodes = ["n1", "n2", "n3", "n4"].map(
      (id, index) => new ConnectedNode((index % 2 ? other! : one!).control, id),
    );
    for (const node of nodes) await node.report();
    const held = () =>
      nodes
        .flatMap(({ assigned = [] }) => assigned)
        .sort()
        .join(" ");
    const wanted = [...models, "m"].map((model) => `${model}/1 ${model}/1`).join(" ");
    const endMs = Date.now() + 10_000;
    while (held() !== wanted && Date.now() < endMs) await nodesOf(one!);
    expect(held()).to.equal(wanted);
  });

  it("loses a node that says nothing any more within three seconds, at both", async () => {
    const watchers = [one!, other!].map(({ control }) => new RouteWatcher(control));
    await readyNode(one!, "n1", false);
    await Promise.all(watchers.map((watcher) => watcher.are({ "m/1": ["n1:1"] })));
    await within(silenceMsMax, ...watchers.map((watcher) => watcher.are({ "m/1": [] })));
  });

  it("has a node that connects to the other registry without a moment without it, and the first one lets it go", async () => {
    const watchers = [one!, other!].map(({ control }) => new RouteWatcher(control));
    const before = await readyNode(one!, "n1");
    await Promise.all(watchers.map((watcher) => watcher.are({ "m/1": ["n1:1"] })));
    const counts = watchers.map(({ steps }) => steps.messages.length);
    const after = await readyNode(other!, "n1");
    expect(await before.replies.end()).to.include({ code: status.UNAVAILABLE });
    await after.report({ "m/1": "STATE_FAILED" });
    await Promise.all(watchers.map((watcher) => watcher.are({ "m/1": [] })));
    expect(watchers.map(({ steps }) => steps.messages.length)).to.deep.equal(counts.map((count) => count + 1));
  });

  for (const end of ["stop", "kill"] as const) {
    const ended = end === "stop" ? "stops" : "is killed";
    it(`keeps the nodes of a registry that ${ended} for as long as they need to connect to the other, and no longer`, async () => {
      const folder = await emptyFolder();
      const dying = await spawnRegistry(folder.path, settings);
      const clients = clientsOf(dying.address);
      await Promise.all([readyNode(clients, "n1"), readyNode(clients, "n2")]);
      const watcher = new RouteWatcher(other!.control);
      await watcher.are({ "m/1": ["n1:1", "n2:1"] });
      await dying[end]();
      await readyNode(other!, "n1");
      await within(silenceMsMax + msMax, watcher.are({ "m/1": ["n1:1"] }));
      const routes = stepsOf(watcher);
      expect(routes.slice(routes.indexOf("n1:1 n2:1"))).to.deep.equal(["n1:1 n2:1", "n1:1"]);
      clients.close();
      await folder.remove();
    });
  }

  it("stays as it was while the database is away, but for nodes that leave here, and goes on by itself when it is back", async () => {
    await readyNode(one!, "n1");
    await readyNode(other!, "n2");
    const leaving = await readyNode(one!, "n3");
    const watcher = new RouteWatcher(one!.control);
    await watcher.are({ "m/1": ["n1:1", "n2:1", "n3:1"] });
    const count = stepsOf(watcher).length;
    await server.kill();
    leaving.cut();
    await watcher.are({ "m/1": ["n1:1", "n2:1"] });
    // As long as it takes to give up a registry that says nothing.
    const endMs = performance.now() + silenceMsMax + msMax;
    while (performance.now() < endMs) expect(await nodesOf(one!)).to.have.length(2);
    await server.start();
    await readyNode(other!, "n4");
    await watcher.steps.until("the new node", () => watcher.routes?.["m/1"]?.toString().includes("n4:1"));
    const routes = stepsOf(watcher).slice(count);
    expect(routes).to.deep.equal(["n1:1 n2:1", "n1:1 n2:1 n4:1"]);
  });
});
