import { setImmediate } from "node:timers/promises";
import { status } from "@grpc/grpc-js";
import { expect } from "chai";
import { ConnectedNode } from "./connected-node.ts";
import { ControlledRegistry } from "./controlled-registry.ts";
import { Inbox } from "./inbox.ts";
import { addingModel } from "./onnx-files.ts";
import { point, publish, upload } from "./running-registry.ts";

describe("the control plane to nodes", () => {
  const control = new ControlledRegistry();

  it("answers the first report at once, also where there is nothing to hold", async () => {
    const node = await control.connect("n1");
    expect(node.replies.messages).to.deep.equal([{ versions: [], heartbeatIntervalMs: 800 }]);
  });

  it("says what to hold, with the variant, its files and the aliases, and again on every change", async () => {
    const node = await control.connect("n1");
    const bytes = addingModel(1);
    const { name, variants } = await publish(control.registry, "m", bytes);
    await node.isAssigned("m/1");
    await point(control.registry, "m", "default", 1);
    const { versions } = await node.replies.until("an alias", () =>
      node.replies.messages.find((reply) => reply.versions[0]?.aliases.length),
    );
    const modelFile = { location: "", artifact: variants[0]!.artifact, sizeBytes: bytes.length };
    const executionProviders = ["cpu"];
    const { memoryBytes } = versions[0]!;
    expect(memoryBytes).to.be.above(bytes.length);
    expect(versions).to.deep.equal([
      {
        version: name,
        variant: "default",
        executionProviders,
        modelFile,
        externalFiles: [],
        aliases: ["default"],
        settings: null,
        memoryBytes,
      },
    ]);
  });

  it("wants the newest versions and those that an alias points at, to be loaded in this order: aliased, newest", async () => {
    for (let addend = 1; addend <= 4; addend++) await publish(control.registry, "m", addingModel(addend));
    await point(control.registry, "m", "stable", 1);
    const node = await control.connect("n1");
    await node.isAssigned("m/1", "m/3", "m/4");
    const order = node.replies.messages.at(-1)!.versions.map(({ version }) => version.slice(-1));
    expect(order).to.deep.equal(["1", "4", "3"]);
    await control.registry.unary("DeleteAlias", { name: "models/m/aliases/stable" });
    await node.isAssigned("m/3", "m/4");
  });

  it("gives each node the variant that fits it, on what the settings prefer, with the settings", async () => {
    const { name } = await publish(control.registry, "m", addingModel(1));
    const artifact = await upload(control.registry, addingModel(2));
    const small = { id: "small", precision: "int8", executionProviders: ["webgpu", "cpu"], artifact };
    await control.registry.unary("AddVariant", { name, variant: small });
    const capabilities = { executionProviders: ["cpu", "webgpu"] };
    const [plain, device] = [await control.connect("n1"), await control.connect("n2", {}, { capabilities })];
    await Promise.all([plain, device].map((node) => node.isAssigned("m/1")));
    const settings = { name: "models/m/servingSettings", precisions: ["int8"], executionProviders: ["webgpu", "cpu"] };
    await control.registry.unary("UpdateServingSettings", { settings });
    const aspired = (node: ConnectedNode) =>
      node.replies.until("the small one", () => {
        const [version] = node.replies.messages.at(-1)!.versions;
        return version?.variant === "small" && version;
      });
    expect((await aspired(plain)).executionProviders).to.deep.equal(["cpu"]);
    const { executionProviders, modelFile, settings: told } = await aspired(device);
    expect(executionProviders).to.deep.equal(["webgpu", "cpu"]);
    expect(modelFile?.artifact).to.equal(artifact);
    expect(told).to.deep.include({ precisions: ["int8"], executionProviders: ["webgpu", "cpu"] });
  });

  it("asks no node for more memory than it has, and says what has no place for want of it", async () => {
    for (const model of ["a", "b"]) {
      await publish(control.registry, model, addingModel(1));
      const settings = { name: `models/${model}/servingSettings`, memoryBytes: 5 * 2 ** 20 };
      await control.registry.unary("UpdateServingSettings", { settings });
    }
    const capabilities = { executionProviders: ["cpu"], memoryBudgetBytes: 8 * 2 ** 20 };
    const node = await control.connect("n1", {}, { capabilities });
    await node.isAssigned("a/1");
    const watcher = control.watch();
    const why = "no node has 5.0 MiB of memory free";
    await watcher.steps.until(why, () => watcher.reason("b/1") === why);
    await point(control.registry, "b", "default", 1);
    await node.isAssigned("b/1");
    await watcher.steps.until(why, () => watcher.reason("a/1") === why);
  });

  it("spreads replicas over the nodes and moves only what a node gains or loses", async () => {
    for (const model of ["a", "b", "c", "d", "e", "f", "g", "h"])
      await publish(control.registry, model, addingModel(1));
    const all = ["a/1", "b/1", "c/1", "d/1", "e/1", "f/1", "g/1", "h/1"];
    const [one, two] = [await control.connect("n1"), await control.connect("n2")];
    await Promise.all([one, two].map((node) => node.isAssigned(...all)));
    const three = await control.connect("n3");
    const gained = await three.replies.until("replicas", () => three.assigned?.length !== 0 && three.assigned);
    while (one.assigned!.length + two.assigned!.length + gained.length !== 16) await control.nodes();
    expect(gained.length).to.be.within(1, 8);
    three.cut();
    await Promise.all([one, two].map((node) => node.isAssigned(...all)));
  });

  it("says nothing again where a report changes nothing", async () => {
    await publish(control.registry, "m", addingModel(1));
    const node = await control.connect("n1");
    for (let count = 0; count < 5; count++) await node.report({ "m/1": "STATE_READY" });
    const watcher = control.watch();
    await watcher.are({ "m/1": ["n1:1"] });
    expect(node.replies.messages).to.have.length(1);
  });

  it("ends the older of two streams of one name, and goes on with the newer", async () => {
    await publish(control.registry, "m", addingModel(1));
    const [older, watcher] = [await control.connect("n1", { "m/1": "STATE_READY" }), control.watch()];
    const newer = await control.connect("n1", { "m/1": "STATE_READY" }, { address: "moved:2" });
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
      ["node.address", { address: "n1:0" }],
      ["node.address", { address: "n1:65536" }],
      ["node.zone", { zone: "Europe" }],
      ["node.zone", { zone: "z".repeat(64) }],
      ["node.replicas.version", { replicas: [{ version: "models/m/versions/default" }] }],
      ["node.replicas.state", { replicas: [{ version: "models/m/versions/1" }] }],
      ["node.memory_bytes", { memoryBytes: -1 }],
      ["node.capabilities.memory_budget_bytes", { capabilities: { memoryBudgetBytes: -1 } }],
      ["node.capabilities.execution_providers", { capabilities: { executionProviders: ["x".repeat(65)] } }],
      ["node.load.outstanding_requests", { load: { outstandingRequests: -1 } }],
    ];
    for (const [field, changes] of refused) {
      const node = await control.connect("n1");
      await node.report({}, changes);
      const fault = await node.replies.end();
      expect(fault, field).to.include({ code: status.INVALID_ARGUMENT, reason: "REQUEST_INVALID" });
      expect(fault?.metadata.field).to.equal(field);
    }
    const stream = control.running.control.duplex("ConnectNode");
    await stream.write({});
    expect(await new Inbox(stream.replies).end()).to.include({ reason: "REQUEST_INVALID" });
    expect(await control.nodes()).to.deep.equal([]);
  });

  it("lets a stream end that says nothing", async () => {
    const node = new ConnectedNode(control.running.control, "n1");
    node.leave();
    expect(await node.replies.end()).to.equal(null);
  });

  it("ends a stream that never reports as late as one that reports no more, and at once when it drains", async () => {
    const [late, open] = [
      new ConnectedNode(control.running.control, "n1"),
      control.running.control.duplex("ConnectNode"),
    ];
    const fault = late.replies.end();
    let isOver = false;
    void fault.finally(() => {
      isOver = true;
    });
    // The registry says nothing of a stream before its first report.
    for (; !isOver; await setImmediate()) control.clock.advance(800);
    expect(await fault).to.include({ code: status.DEADLINE_EXCEEDED, reason: "DEADLINE_EXCEEDED" });
    expect(await new Inbox(open.replies).end()).to.include({ code: status.DEADLINE_EXCEEDED });
    const draining = new ConnectedNode(control.running.control, "n2");
    // On the same connection, so that the registry knows of the stream.
    await control.watch().are({});
    await control.running.stop();
    expect(await draining.replies.end()).to.include({ code: status.UNAVAILABLE, reason: "DRAINING" });
  });

  it("lists its nodes in the order of their names, page by page, with what they hold", async () => {
    const capabilities = {
      executionProviders: ["cuda", "cpu"],
      opsets: { "ai.onnx": 23 },
      memoryBudgetBytes: 2 ** 33,
      runtime: "onnxruntime 1.30.0",
      cores: 8,
      missingExecutionProviders: { tensorrt: "libnvinfer.so.10 is not there" },
    };
    const load = { outstandingRequests: 3, answeredRequests: 70 };
    const replica = { version: "models/m/versions/1", reason: "", variant: "small", executionProvider: "cuda" };
    const exchangeFailure = "the node does not offer 'nowhere'";
    const told = { fallbackExecutionProviders: ["cpu"], exchangeFailure, state: "STATE_READY" as const };
    const replicas = [{ ...replica, ...told }];
    for (const id of ["n2", "n1", "n3"])
      await control.connect(id, {}, { zone: "z-1", capabilities, load, memoryBytes: 7, replicas });
    const first = await control.registry.unary("ListNodes", { pageSize: 2 });
    const second = await control.registry.unary("ListNodes", { pageSize: 2, pageToken: first.nextPageToken });
    const listed = [...first.nodes, ...second.nodes];
    expect(listed.map(({ name }) => name)).to.deep.equal(["nodes/n1", "nodes/n2", "nodes/n3"]);
    const facts = { address: "n1:1", zone: "z-1", capabilities, memoryBytes: 7, draining: false, load };
    expect(listed[0]).to.deep.equal({ name: "nodes/n1", ...facts, replicas });
    expect(second.nextPageToken).to.equal("");
  });

  it("ends its streams when the registry drains", async () => {
    const [node, watcher] = [await control.connect("n1"), control.watch()];
    await watcher.are({});
    await control.running.stop();
    expect(await node.replies.end()).to.include({ code: status.UNAVAILABLE, reason: "DRAINING" });
    expect(await watcher.steps.end()).to.include({ code: status.UNAVAILABLE, reason: "DRAINING" });
  });
});
