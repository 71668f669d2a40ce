import { expect } from "chai";
import { ManualClock } from "../manual-clock.ts";
import { ConnectedNode } from "./connected-node.ts";
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

  it("sends gateways no table until the nodes are back, then one that names them", async () => {
    await restart();
    const watcher = new RouteWatcher(running.control);
    const node = new ConnectedNode(running.control, "n1");
    await node.report({ "m/1": "STATE_READY", "m/2": "STATE_LOADING" });
    await node.isAssigned("m/1", "m/2");
    expect(watcher.routes).to.equal(undefined);
    await node.report(held);
    await watcher.are({ "m/1": ["n1:1"], "m/2": ["n1:1"], "m@default": 1 });
    expect(watcher.steps.messages).to.have.length(1);
  });

  it("sends gateways the table after three heartbeats, whether nodes are back or not", async () => {
    await restart();
    const watcher = new RouteWatcher(running.control);
    clock.advance(2999);
    await running.registry.unary("ListNodes", {});
    expect(watcher.routes).to.equal(undefined);
    clock.advance(1);
    await watcher.are({ "m/1": [], "m/2": [], "m@default": 1 });
  });

  it("leaves every node what it holds until the others are back, and nobody loads anew", async () => {
    await restart();
    const nodes = ["n1", "n2", "n3"].map((id) => new ConnectedNode(running.control, id));
    const [one, two, three] = nodes as [ConnectedNode, ConnectedNode, ConnectedNode];
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
