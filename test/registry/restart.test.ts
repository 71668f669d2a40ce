import { expect } from "chai";
import { ManualClock } from "../manual-clock.ts";
import { ConnectedNode, type Held } from "./connected-node.ts";
import { addingModel } from "./onnx-files.ts";
import { RouteWatcher } from "./route-watcher.ts";
import { emptyFolder, point, publish, type RunningRegistry, startRegistry } from "./running-registry.ts";

describe("a registry that starts again", () => {
  let folder: Awaited<ReturnType<typeof emptyFolder>>;
  let running: RunningRegistry;
  let clock: ManualClock;

  beforeEach(async () => {
    folder = await emptyFolder();
    running = await startRegistry(folder.path);
    for (const addend of [1, 2]) await publish(running.registry, "m", addingModel(addend));
    await point(running.registry, "m", "default", 1);
  });

  afterEach(async () => {
    await running.stop();
    await folder.remove();
  });

  async function restart() {
    await running.stop();
    clock = new ManualClock();
    running = await startRegistry(folder.path, { AMAAS_REPLICAS_PER_VERSION: "1" }, clock);
  }

  const held = { "m/1": "STATE_READY", "m/2": "STATE_READY" } as const;
  const everything = async () => [
    await running.registry.unary("ListModels", {}),
    await running.registry.unary("ListVersions", { parent: "models/m" }),
    await running.registry.unary("ListAliases", { parent: "models/m" }),
  ];

  it("answers as it did before", async () => {
    const before = await everything();
    await restart();
    expect(await everything()).to.deep.equal(before);
  });

  const nodes = async () => (await running.registry.unary("ListNodes", {})).nodes;

  /** Two seconds pass, then a node reports; settles once the registry has heard it. */
  async function reportLater(node: ConnectedNode, replicas: Held): Promise<void> {
    clock.advance(2000);
    await node.report(replicas, { memoryBytes: clock.now() });
    while (!(await nodes()).some(({ memoryBytes }) => memoryBytes === clock.now()));
  }

  it("sends gateways no table until the nodes are back and everything is loaded, then one that names them", async () => {
    await restart();
    const watcher = new RouteWatcher(running.control);
    const node = new ConnectedNode(running.control, "n1");
    await node.report({ "m/1": "STATE_READY", "m/2": "STATE_LOADING" });
    await node.isAssigned("m/1", "m/2");
    await reportLater(node, { "m/1": "STATE_READY", "m/2": "STATE_LOADING" });
    await reportLater(node, { "m/1": "STATE_READY", "m/2": "STATE_LOADING" });
    expect(watcher.routes).to.equal(undefined);
    await node.report(held);
    await watcher.are({ "m/1": ["n1:1"], "m/2": ["n1:1"], "m@default": 1 });
    expect(watcher.steps.messages).to.have.length(1);
  });

  it("gives nodes three heartbeats to come back, also where the first one has everything", async () => {
    await restart();
    const watcher = new RouteWatcher(running.control);
    const [one, two] = [new ConnectedNode(running.control, "n1"), new ConnectedNode(running.control, "n2")];
    await one.report(held);
    await one.isAssigned("m/1", "m/2");
    await reportLater(one, held);
    await two.report(held);
    await two.isAssigned("m/1", "m/2");
    expect(watcher.routes).to.equal(undefined);
    clock.advance(1000);
    await watcher.steps.until("table", () => watcher.routes);
    while (one.assigned!.length + two.assigned!.length !== 2) await nodes();
  });

  it("leads an alias where it led before, if that is where it was when its move did not get on", async () => {
    const before = new ConnectedNode(running.control, "n1");
    const watcher = new RouteWatcher(running.control);
    await before.report(held);
    await watcher.are({ "m/1": ["n1:1"], "m/2": ["n1:1"], "m@default": 1 });
    await before.report({ "m/1": "STATE_READY", "m/2": "STATE_FAILED" });
    await watcher.are({ "m/1": ["n1:1"], "m/2": [], "m@default": 1 });
    await point(running.registry, "m", "default", 2);
    await restart();
    const after = new ConnectedNode(running.control, "n1");
    await after.report({ "m/1": "STATE_READY", "m/2": "STATE_FAILED" });
    await after.isAssigned("m/1", "m/2");
    await reportLater(after, { "m/1": "STATE_READY", "m/2": "STATE_FAILED" });
    clock.advance(1000);
    const restarted = new RouteWatcher(running.control);
    await restarted.are({ "m/1": ["n1:1"], "m/2": [], "m@default": 1 });
    await after.report(held);
    await restarted.are({ "m/1": ["n1:1"], "m/2": ["n1:1"], "m@default": 2 });
  });

  it("does not wait for what could not be loaded", async () => {
    await restart();
    const watcher = new RouteWatcher(running.control);
    const node = new ConnectedNode(running.control, "n1");
    await node.report({ "m/1": "STATE_READY", "m/2": "STATE_FAILED" });
    await node.isAssigned("m/1", "m/2");
    await reportLater(node, { "m/1": "STATE_READY", "m/2": "STATE_FAILED" });
    expect(watcher.routes).to.equal(undefined);
    clock.advance(1000);
    await watcher.are({ "m/1": ["n1:1"], "m/2": [], "m@default": 1 });
  });

  it("sends gateways the table after the time for settling, whether nodes are back or not", async () => {
    await restart();
    const watcher = new RouteWatcher(running.control);
    clock.advance(9999);
    await nodes();
    expect(watcher.routes).to.equal(undefined);
    clock.advance(1);
    await watcher.are({ "m/1": [], "m/2": [], "m@default": 1 });
  });

  it("leaves every node what it holds until the others are back, and nobody loads anew", async () => {
    await restart();
    const [one, two, three] = ["n1", "n2", "n3"].map((id) => new ConnectedNode(running.control, id)) as [
      ConnectedNode,
      ConnectedNode,
      ConnectedNode,
    ];
    await one.report({ "m/1": "STATE_READY" });
    await one.isAssigned("m/1");
    await two.report();
    await two.isAssigned();
    await three.report({ "m/1": "STATE_READY", "m/2": "STATE_LOADING" });
    await three.isAssigned("m/1", "m/2");
    expect(two.replies.messages).to.have.length(1);
  });

  it("serves at once where nothing was ever served", async () => {
    const empty = await emptyFolder();
    const fresh = await startRegistry(empty.path, {}, new ManualClock());
    const watcher = new RouteWatcher(fresh.control);
    await watcher.are({});
    await fresh.stop();
    await empty.remove();
  });
});
