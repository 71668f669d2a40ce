import { status } from "@grpc/grpc-js";
import { expect } from "chai";
import type { ServingSettings } from "../../lib/gen/amaas/registry/v1/ServingSettings.ts";
import { ConnectedNode } from "./connected-node.ts";
import { ControlledRegistry } from "./controlled-registry.ts";
import { addingModel } from "./onnx-files.ts";
import { RouteWatcher } from "./route-watcher.ts";
import { emptyFolder, point, publish, startRegistry } from "./running-registry.ts";

describe("the control plane to gateways", () => {
  const control = new ControlledRegistry();

  it("begins with a snapshot, then numbers its steps", async () => {
    const watcher = control.watch();
    await watcher.are({});
    await publish(control.registry, "m", addingModel(1));
    await watcher.are({ "m/1": [] });
    await point(control.registry, "m", "default", 1);
    await watcher.are({ "m/1": [], "m@default": 1 });
    const [first, ...rest] = watcher.steps.messages;
    expect(first?.step).to.equal("snapshot");
    expect(rest.every(({ step }) => step === "changed")).to.equal(true);
    const numbers = watcher.steps.messages.map(({ sequence }) => sequence);
    expect(numbers).to.deep.equal([...new Set(numbers)].sort((a, b) => a - b));
  });

  it("goes on where a gateway was, with what it has missed; another life of the registry begins anew", async () => {
    const first = control.watch();
    await first.are({});
    await publish(control.registry, "m", addingModel(1));
    await publish(control.registry, "gone", addingModel(1));
    await first.are({ "m/1": [], "gone/1": [] });
    first.leave();
    await point(control.registry, "m", "default", 1);
    await control.registry.unary("DeleteModel", { name: "models/gone" });
    const second = control.watch(first);
    await second.are({ "m/1": [], "m@default": 1 });
    expect(second.steps.messages.map(({ step }) => step)).to.deep.equal(["resumed", "changed", "removed"]);
    await control.restart();
    const third = control.watch(second);
    await third.are({ "m/1": [], "m@default": 1 });
    expect(third.steps.messages[0]).to.include({ step: "snapshot" });
    expect(third.position?.epoch).not.to.equal(second.position?.epoch);
  });

  it("leads aliases to targets by weight, and names their mirrors", async () => {
    for (const addend of [1, 2, 3]) await publish(control.registry, "m", addingModel(addend));
    const targets = [{ version: 1, weight: 99 }, { version: 2 }];
    const alias = { name: "models/m/aliases/default", targets, mirrors: [{ version: 3, share: 0.25 }] };
    await control.registry.unary("UpdateAlias", { alias, allowMissing: true });
    const [node, watcher] = [await control.connect("n1"), control.watch()];
    await node.isAssigned("m/1", "m/2", "m/3");
    const order = node.replies.messages.at(-1)!.versions.map(({ version, aliases }) => [version.slice(-1), ...aliases]);
    expect(order).to.deep.equal([["2", "default"], ["1", "default"], ["3"]]);
    await node.obey();
    await watcher.are({ "m/1": ["n1:1"], "m/2": ["n1:1"], "m/3": ["n1:1"], "m@default": "1×99 2×1 ~3×0.25" });
  });

  it("says why a version is ready nowhere", async () => {
    const watcher = control.watch();
    const reasonIs = (reason: string) => watcher.steps.until(reason, () => watcher.reason("m/1") === reason);
    await publish(control.registry, "m", addingModel(1));
    await reasonIs("there are no nodes");
    const node = await control.connect(
      "n1",
      {},
      { capabilities: { executionProviders: ["cuda"], opsets: { "ai.onnx": 7 } } },
    );
    await reasonIs("no node runs operator set 18 of ai.onnx");
    await node.report({});
    await reasonIs("it is loading on n1");
    const replicas = [{ version: "models/m/versions/1", state: "STATE_FAILED" as const, reason: "no space left" }];
    await node.report({}, { replicas });
    await reasonIs("it failed to load on n1: no space left");
    await node.report({ "m/1": "STATE_READY" });
    await reasonIs("");
  });

  it("has no routes of a deleted model, and has them again when it is back", async () => {
    await publish(control.registry, "m", addingModel(1));
    const [node, watcher] = [await control.connect("n1", { "m/1": "STATE_READY" }), control.watch()];
    await watcher.are({ "m/1": ["n1:1"] });
    await control.registry.unary("DeleteModel", { name: "models/m" });
    await watcher.are({});
    await node.isAssigned();
    await control.registry.unary("UndeleteModel", { name: "models/m" });
    await node.isAssigned("m/1");
  });

  it("says what it knows of nodes before the first route that names them, and again where that has changed", async () => {
    await publish(control.registry, "m", addingModel(1));
    const capabilities = { executionProviders: ["cpu"], cores: 8 };
    const watcher = control.watch();
    await watcher.are({ "m/1": [] });
    const first = await control.connect("n1", { "m/1": "STATE_READY" }, { zone: "eu-1", capabilities });
    await watcher.are({ "m/1": ["n1:1"] });
    const [told, routed] = watcher.steps.messages.slice(-2);
    expect(told!.node).to.deep.equal({ address: "n1:1", zone: "eu-1", capacity: 8 });
    expect(routed).to.include({ step: "changed" });
    expect((await control.nodes())[0]).to.include({ zone: "eu-1" });
    await first.report({ "m/1": "STATE_READY" }, { zone: "eu-1", capabilities, memoryBytes: 1 });
    await first.report({ "m/1": "STATE_READY" }, { zone: "eu-2", capabilities });
    await watcher.steps.until("another zone", () => watcher.nodes.get("n1:1")!.zone === "eu-2");
    expect(watcher.steps.messages.at(-1)!.sequence).to.equal(routed!.sequence + 1);
  });

  it("tells a gateway that was away of every node that has come or changed, and one that begins of those that are there", async () => {
    const [stays, goes] = [await control.connect("n1", {}, { zone: "a" }), await control.connect("n2")];
    const first = control.watch();
    await first.are({});
    expect([...first.nodes.keys()].sort()).to.deep.equal(["n1:1", "n2:1"]);
    first.leave();
    await stays.report({}, { zone: "b" });
    goes.leave();
    await goes.replies.end();
    await control.connect("n3");
    const second = control.watch(first);
    await second.steps.until("both", () => second.nodes.has("n3:1") && second.nodes.get("n1:1")!.zone === "b");
    expect(second.steps.messages.map(({ step }) => step)).to.deep.equal(["resumed", "node", "node"]);
    const third = control.watch();
    await third.are({});
    expect([...third.nodes.values()].sort((a, b) => (a.address < b.address ? -1 : 1))).to.deep.equal([
      { address: "n1:1", zone: "b", capacity: 1 },
      { address: "n3:1", zone: "", capacity: 1 },
    ]);
  });

  it("says how calls to a model are routed, and nodes hear nothing of that", async () => {
    await publish(control.registry, "m", addingModel(1));
    const [node, watcher] = [await control.connect("n1", { "m/1": "STATE_READY" }), control.watch()];
    await watcher.are({ "m/1": ["n1:1"] });
    const traffic = () => watcher.models.get("m")!.traffic;
    expect(traffic()).to.equal(null);
    const update = (settings: ServingSettings) =>
      control.registry.unary("UpdateServingSettings", { settings: { name: "models/m/servingSettings", ...settings } });
    await update({ traffic: { stickyKey: "user", total: { requestsPerSecond: 5 } } });
    await watcher.steps.until("the key", () => traffic()?.stickyKey === "user");
    expect(traffic()!.total).to.include({ requestsPerSecond: 5, concurrentRequests: 0 });
    const told = node.replies.messages.length;
    await update({ replicas: 3, traffic: { stickyKey: "user" } });
    const settings = await node.replies.until("the settings", () => node.replies.messages[told]?.versions[0]?.settings);
    expect(settings).to.deep.include({ replicas: 3, traffic: null });
    await watcher.steps.until("no limits", () => traffic()!.total === null);
    await update({ replicas: 3 });
    await watcher.steps.until("no traffic", () => traffic() === null);
    expect(node.replies.messages).to.have.length(told + 1);
  });

  it("names a model that has no versions yet", async () => {
    await control.registry.unary("CreateModel", { modelId: "m" });
    const watcher = control.watch();
    const { snapshot } = await watcher.steps.until("the model", () => watcher.steps.messages[0]);
    expect(snapshot?.models).to.deep.equal([{ model: "m", versions: [], aliases: {}, traffic: null }]);
  });

  it("routes to a node once it is ready and no longer when it has failed", async () => {
    await publish(control.registry, "m", addingModel(1));
    const [node, watcher] = [await control.connect("n1"), control.watch()];
    await watcher.are({ "m/1": [] });
    await node.report({ "m/1": "STATE_LOADING" });
    await node.report({ "m/1": "STATE_READY" });
    await watcher.are({ "m/1": ["n1:1"] });
    await node.report({ "m/1": "STATE_FAILED" });
    await watcher.are({ "m/1": [] });
    expect(watcher.steps.messages).to.have.length(3);
  });

  it("takes a node out at once when it drains, and leaves it what it holds", async () => {
    await publish(control.registry, "m", addingModel(1));
    const [node, watcher] = [await control.connect("n1", { "m/1": "STATE_READY" }), control.watch()];
    await watcher.are({ "m/1": ["n1:1"] });
    await node.report({ "m/1": "STATE_READY" }, { draining: true });
    await watcher.are({ "m/1": [] });
    await publish(control.registry, "m", addingModel(2));
    await watcher.are({ "m/1": [], "m/2": [] });
    expect(node.assigned).to.deep.equal(["m/1"]);
    expect((await control.nodes())[0]).to.include({ draining: true });
  });

  it("takes a node out at once when its stream ends or breaks", async () => {
    await publish(control.registry, "m", addingModel(1));
    const [one, two] = [
      await control.connect("n1", { "m/1": "STATE_READY" }),
      await control.connect("n2", { "m/1": "STATE_READY" }),
    ];
    const watcher = control.watch();
    await watcher.are({ "m/1": ["n1:1", "n2:1"] });
    one.leave();
    await watcher.are({ "m/1": ["n2:1"] });
    two.cut();
    await watcher.are({ "m/1": [] });
    expect(await one.replies.end()).to.equal(null);
  });

  it("takes a node out after three heartbeats without a report, and ends its stream", async () => {
    await publish(control.registry, "m", addingModel(1));
    const [silent, watcher] = [await control.connect("n1", { "m/1": "STATE_READY" }), control.watch()];
    await watcher.are({ "m/1": ["n1:1"] });
    control.clock.advance(2399);
    expect(await control.nodes()).to.have.length(1);
    control.clock.advance(1);
    await watcher.are({ "m/1": [] });
    expect(await silent.replies.end()).to.include({ code: status.UNAVAILABLE });
  });

  it("keeps a node that reports in time", async () => {
    await publish(control.registry, "m", addingModel(1));
    const [node, watcher] = [await control.connect("n1", { "m/1": "STATE_READY" }), control.watch()];
    await watcher.are({ "m/1": ["n1:1"] });
    for (let count = 1; count <= 4; count++) {
      control.clock.advance(2300);
      await node.report({ "m/1": "STATE_READY" }, { memoryBytes: count });
      while ((await control.nodes())[0]?.memoryBytes !== count);
    }
    expect(watcher.steps.messages).to.have.length(1);
  });

  it("takes a node out within three seconds of its last word, in real time and by default", async () => {
    const own = await emptyFolder();
    const registry = await startRegistry(own.path);
    await publish(registry.registry, "m", addingModel(1));
    const [node, watcher] = [new ConnectedNode(registry.control, "n1"), new RouteWatcher(registry.control)];
    await node.report({ "m/1": "STATE_READY" });
    await watcher.are({ "m/1": ["n1:1"] });
    const beginMs = performance.now();
    await watcher.are({ "m/1": [] });
    expect(performance.now() - beginMs).to.be.below(3000);
    await registry.stop();
    await own.remove();
  });

  it("moves an alias when its new version is ready, and until then keeps the old one loaded", async () => {
    for (let addend = 1; addend <= 4; addend++) await publish(control.registry, "m", addingModel(addend));
    await point(control.registry, "m", "default", 1);
    const [node, watcher] = [await control.connect("n1"), control.watch()];
    await node.isAssigned("m/1", "m/3", "m/4");
    await node.report({ "m/1": "STATE_READY", "m/3": "STATE_READY", "m/4": "STATE_READY" });
    const before = { "m/1": ["n1:1"], "m/2": [], "m/3": ["n1:1"], "m/4": ["n1:1"], "m@default": 1 };
    await watcher.are(before);
    await point(control.registry, "m", "default", 2);
    await node.isAssigned("m/1", "m/2", "m/3", "m/4");
    expect(watcher.routes).to.deep.equal(before);
    await node.report({ "m/1": "STATE_READY", "m/2": "STATE_READY", "m/3": "STATE_READY", "m/4": "STATE_READY" });
    await watcher.are({ ...before, "m/1": [], "m/2": ["n1:1"], "m@default": 2 });
    await node.isAssigned("m/2", "m/3", "m/4");
  });

  it("reaches each of many gateways, and gives up those that have left", async () => {
    const watchers = Array.from({ length: 10 }, () => control.watch());
    await Promise.all(watchers.map((watcher) => watcher.are({})));
    for (const watcher of watchers.slice(5)) watcher.leave();
    await publish(control.registry, "m", addingModel(1));
    await Promise.all(watchers.slice(0, 5).map((watcher) => watcher.are({ "m/1": [] })));
  });
});
