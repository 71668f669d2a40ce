import { status } from "@grpc/grpc-js";
import { expect } from "chai";
import { ManualClock } from "../manual-clock.ts";
import { ConnectedNode } from "./connected-node.ts";
import { Inbox } from "./inbox.ts";
import { addingModel } from "./onnx-files.ts";
import { RouteWatcher } from "./route-watcher.ts";
import { emptyFolder, point, publish, type RunningRegistry, startRegistry } from "./running-registry.ts";

const settings = { AMAAS_NEWEST_VERSIONS_SERVED: "2", AMAAS_REPLICAS_PER_VERSION: "2" };

describe("the control plane", () => {
  let folder: Awaited<ReturnType<typeof emptyFolder>>;
  let running: RunningRegistry;
  let clock: ManualClock;

  beforeEach(async () => {
    folder = await emptyFolder();
    clock = new ManualClock();
    running = await startRegistry(folder.path, settings, clock);
  });

  afterEach(async () => {
    await running.stop();
    await folder.remove();
  });

  const connect = async (id: string, ...report: Parameters<ConnectedNode["report"]>) => {
    const node = new ConnectedNode(running.control, id);
    await node.report(...report);
    await node.replies.until("first assignment", () => node.assigned);
    return node;
  };
  const watch = () => new RouteWatcher(running.control);
  const nodes = async () => (await running.registry.unary("ListNodes", {})).nodes;

  describe("to nodes", () => {
    it("answers the first report at once, also where there is nothing to hold", async () => {
      const node = await connect("n1");
      expect(node.replies.messages).to.deep.equal([{ versions: [], heartbeatIntervalMs: 1000 }]);
    });

    it("says what to hold, with the artifact, its size and the aliases, and again on every change", async () => {
      const node = await connect("n1");
      const bytes = addingModel(1);
      const { name, artifact } = await publish(running.registry, "m", bytes);
      await node.isAssigned("m/1");
      await point(running.registry, "m", "default", 1);
      const { versions } = await node.replies.until("an alias", () =>
        node.replies.messages.find((reply) => reply.versions[0]?.aliases.length),
      );
      expect(versions).to.deep.equal([{ version: name, artifact, sizeBytes: bytes.length, aliases: ["default"] }]);
    });

    it("wants the newest versions and those that an alias points at, to be loaded in this order: aliased, newest", async () => {
      for (let addend = 1; addend <= 4; addend++) await publish(running.registry, "m", addingModel(addend));
      await point(running.registry, "m", "stable", 1);
      const node = await connect("n1");
      await node.isAssigned("m/1", "m/3", "m/4");
      const order = node.replies.messages.at(-1)!.versions.map(({ version }) => version.slice(-1));
      expect(order).to.deep.equal(["1", "4", "3"]);
      await running.registry.unary("DeleteAlias", { name: "models/m/aliases/stable" });
      await node.isAssigned("m/3", "m/4");
    });

    it("spreads replicas over the nodes and moves only what a node gains or loses", async () => {
      for (const model of ["a", "b", "c", "d", "e", "f", "g", "h"])
        await publish(running.registry, model, addingModel(1));
      const all = ["a/1", "b/1", "c/1", "d/1", "e/1", "f/1", "g/1", "h/1"];
      const [one, two] = [await connect("n1"), await connect("n2")];
      await Promise.all([one, two].map((node) => node.isAssigned(...all)));
      const three = await connect("n3");
      const gained = await three.replies.until("replicas", () => three.assigned?.length !== 0 && three.assigned);
      while (one.assigned!.length + two.assigned!.length + gained.length !== 16) await nodes();
      expect(gained.length).to.be.within(1, 8);
      three.cut();
      await Promise.all([one, two].map((node) => node.isAssigned(...all)));
    });

    it("says nothing again where a report changes nothing", async () => {
      await publish(running.registry, "m", addingModel(1));
      const node = await connect("n1");
      for (let count = 0; count < 5; count++) await node.report({ "m/1": "STATE_READY" });
      const watcher = watch();
      await watcher.are({ "m/1": ["n1:1"] });
      expect(node.replies.messages).to.have.length(1);
    });

    it("ends the older of two streams of one name, and goes on with the newer", async () => {
      await publish(running.registry, "m", addingModel(1));
      const [older, watcher] = [await connect("n1", { "m/1": "STATE_READY" }), watch()];
      const newer = await connect("n1", { "m/1": "STATE_READY" }, { address: "moved:2" });
      expect(await older.replies.end()).to.include({ code: status.UNAVAILABLE });
      await watcher.are({ "m/1": ["moved:2"] });
      await newer.isAssigned("m/1");
    });

    it("ends a stream whose reports are malformed or change their name, with the field; the node may connect again", async () => {
      const refused: [string, object][] = [
        ["node.name", { name: "n1" }],
        ["node.name", { name: "nodes/" }],
        ["node.name", { name: "nodes/n2" }],
        ["node.address", { address: "" }],
        ["node.address", { address: "http://n1:1" }],
        ["node.replicas.version", { replicas: [{ version: "models/m/versions/default" }] }],
        ["node.replicas.state", { replicas: [{ version: "models/m/versions/1" }] }],
      ];
      for (const [field, changes] of refused) {
        const node = await connect("n1");
        await node.report({}, changes);
        const fault = await node.replies.end();
        expect(fault, field).to.include({ code: status.INVALID_ARGUMENT, reason: "REQUEST_INVALID" });
        expect(fault?.metadata.field).to.equal(field);
      }
      const stream = running.control.duplex("ConnectNode");
      await stream.write({});
      expect(await new Inbox(stream.replies).end()).to.include({ reason: "REQUEST_INVALID" });
      expect(await nodes()).to.deep.equal([]);
    });

    it("lets a stream end that says nothing", async () => {
      const node = new ConnectedNode(running.control, "n1");
      node.leave();
      expect(await node.replies.end()).to.equal(null);
    });
  });

  describe("to gateways", () => {
    it("begins with a snapshot, then numbers its steps one by one", async () => {
      const watcher = watch();
      await watcher.are({});
      await publish(running.registry, "m", addingModel(1));
      await watcher.are({ "m/1": [] });
      await point(running.registry, "m", "default", 1);
      await watcher.are({ "m/1": [], "m@default": 1 });
      const [first, ...rest] = watcher.steps.messages;
      expect(first?.step).to.equal("snapshot");
      expect(rest.every(({ step }) => step === "changed")).to.equal(true);
      const numbers = watcher.steps.messages.map(({ sequence }) => sequence);
      expect(numbers).to.deep.equal(numbers.map((_, index) => index + 1));
    });

    it("names a model that has no versions yet", async () => {
      await running.registry.unary("CreateModel", { modelId: "m" });
      const watcher = watch();
      const { snapshot } = await watcher.steps.until("the model", () => watcher.steps.messages[0]);
      expect(snapshot?.models).to.deep.equal([{ model: "m", versions: [], aliases: {} }]);
    });

    it("routes to a node once it is ready and no longer when it has failed", async () => {
      await publish(running.registry, "m", addingModel(1));
      const [node, watcher] = [await connect("n1"), watch()];
      await watcher.are({ "m/1": [] });
      await node.report({ "m/1": "STATE_LOADING" });
      await node.report({ "m/1": "STATE_READY" });
      await watcher.are({ "m/1": ["n1:1"] });
      await node.report({ "m/1": "STATE_FAILED" });
      await watcher.are({ "m/1": [] });
      expect(watcher.steps.messages).to.have.length(3);
    });

    it("takes a node out at once when it drains, and leaves it what it holds", async () => {
      await publish(running.registry, "m", addingModel(1));
      const [node, watcher] = [await connect("n1", { "m/1": "STATE_READY" }), watch()];
      await watcher.are({ "m/1": ["n1:1"] });
      await node.report({ "m/1": "STATE_READY" }, { draining: true });
      await watcher.are({ "m/1": [] });
      await publish(running.registry, "m", addingModel(2));
      await watcher.are({ "m/1": [], "m/2": [] });
      expect(node.assigned).to.deep.equal(["m/1"]);
      expect((await nodes())[0]).to.include({ draining: true });
    });

    it("takes a node out at once when its stream ends or breaks", async () => {
      await publish(running.registry, "m", addingModel(1));
      const [one, two] = [await connect("n1", { "m/1": "STATE_READY" }), await connect("n2", { "m/1": "STATE_READY" })];
      const watcher = watch();
      await watcher.are({ "m/1": ["n1:1", "n2:1"] });
      one.leave();
      await watcher.are({ "m/1": ["n2:1"] });
      two.cut();
      await watcher.are({ "m/1": [] });
      expect(await one.replies.end()).to.equal(null);
    });

    it("takes a node out after three heartbeats without a report, and ends its stream", async () => {
      await publish(running.registry, "m", addingModel(1));
      const [silent, watcher] = [await connect("n1", { "m/1": "STATE_READY" }), watch()];
      await watcher.are({ "m/1": ["n1:1"] });
      clock.advance(2999);
      expect(await nodes()).to.have.length(1);
      clock.advance(1);
      await watcher.are({ "m/1": [] });
      expect(await silent.replies.end()).to.include({ code: status.UNAVAILABLE });
    });

    it("keeps a node that reports in time", async () => {
      await publish(running.registry, "m", addingModel(1));
      const [node, watcher] = [await connect("n1", { "m/1": "STATE_READY" }), watch()];
      await watcher.are({ "m/1": ["n1:1"] });
      for (let count = 1; count <= 4; count++) {
        clock.advance(2500);
        await node.report({ "m/1": "STATE_READY" }, { memoryBytes: count });
        while ((await nodes())[0]?.memoryBytes !== count);
      }
      expect(watcher.steps.messages).to.have.length(1);
    });

    it("moves an alias when its new version is ready, and until then keeps the old one loaded", async () => {
      for (let addend = 1; addend <= 4; addend++) await publish(running.registry, "m", addingModel(addend));
      await point(running.registry, "m", "default", 1);
      const [node, watcher] = [await connect("n1"), watch()];
      await node.isAssigned("m/1", "m/3", "m/4");
      await node.report({ "m/1": "STATE_READY", "m/3": "STATE_READY", "m/4": "STATE_READY" });
      const before = { "m/1": ["n1:1"], "m/2": [], "m/3": ["n1:1"], "m/4": ["n1:1"], "m@default": 1 };
      await watcher.are(before);
      await point(running.registry, "m", "default", 2);
      await node.isAssigned("m/1", "m/2", "m/3", "m/4");
      expect(watcher.routes).to.deep.equal(before);
      await node.report({ "m/1": "STATE_READY", "m/2": "STATE_READY", "m/3": "STATE_READY", "m/4": "STATE_READY" });
      await watcher.are({ ...before, "m/1": [], "m/2": ["n1:1"], "m@default": 2 });
      await node.isAssigned("m/2", "m/3", "m/4");
    });

    it("reaches each of many gateways, and gives up those that have left", async () => {
      const watchers = Array.from({ length: 10 }, watch);
      await Promise.all(watchers.map((watcher) => watcher.are({})));
      for (const watcher of watchers.slice(5)) watcher.leave();
      await publish(running.registry, "m", addingModel(1));
      await Promise.all(watchers.slice(0, 5).map((watcher) => watcher.are({ "m/1": [] })));
    });
  });

  it("lists its nodes in the order of their names, page by page, with what they hold", async () => {
    for (const id of ["n2", "n1", "n3"]) {
      await connect(id, { "m/1": "STATE_READY" }, { executionProviders: ["cpu"], memoryBytes: 7 });
    }
    const first = await running.registry.unary("ListNodes", { pageSize: 2 });
    const second = await running.registry.unary("ListNodes", { pageSize: 2, pageToken: first.nextPageToken });
    const listed = [...first.nodes, ...second.nodes];
    expect(listed.map(({ name }) => name)).to.deep.equal(["nodes/n1", "nodes/n2", "nodes/n3"]);
    expect(listed[0]).to.deep.equal({
      name: "nodes/n1",
      address: "n1:1",
      executionProviders: ["cpu"],
      memoryBytes: 7,
      draining: false,
      replicas: [{ version: "models/m/versions/1", state: "STATE_READY", reason: "" }],
    });
    expect(second.nextPageToken).to.equal("");
  });

  it("ends its streams when the registry drains", async () => {
    const [node, watcher] = [await connect("n1"), watch()];
    await watcher.are({});
    await running.stop();
    expect(await node.replies.end()).to.include({ code: status.UNAVAILABLE, reason: "DRAINING" });
    expect(await watcher.steps.end()).to.include({ code: status.UNAVAILABLE, reason: "DRAINING" });
  });
});
