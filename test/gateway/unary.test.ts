import { randomBytes } from "node:crypto";
import { type AddressInfo, createServer, type Socket } from "node:net";
import { Metadata, status } from "@grpc/grpc-js";
import { expect } from "chai";
import { ServiceError } from "../../lib/errors.ts";
import { encodeMessage } from "../../lib/rpc/protos.ts";
import { statusOf } from "../../lib/rpc/status.ts";
import { FakeNode } from "./fake-node.ts";
import { FakeRegistry } from "./fake-registry.ts";
import { emptyFolder, eventually, faultOf, Harness, inferPath, nowhere, routeOf } from "./harness.ts";

describe("the gateway, for one message each way,", () => {
  let folder: Awaited<ReturnType<typeof emptyFolder>>;
  let nodes: FakeNode[];
  let registry: FakeRegistry;
  let gateway: Harness;

  beforeEach(async () => {
    folder = await emptyFolder();
    nodes = await Promise.all([new FakeNode().start(), new FakeNode().start()]);
    const [first, second] = nodes.map(({ address }) => address) as [string, string];
    registry = await new FakeRegistry([
      routeOf("digits", { 1: [first], 2: [second], 3: "it is loading" }, { default: 2, stable: 1, next: 3 }),
      routeOf("both", { 1: [first, second] }, { default: 1 }),
      routeOf("half", { 1: [nowhere, second] }, { default: 1 }),
      routeOf("gone", { 1: [nowhere] }, { default: 1 }),
      routeOf("unaliased", { 1: [first], 2: [second], 3: "it is loading" }, { stable: 1 }),
    ]).start();
    gateway = await Harness.start({ AMAAS_DATA_DIR: folder.path, AMAAS_REGISTRY_ADDRESS: registry.address });
    await gateway.routed("digits");
  });

  afterEach(async () => {
    await gateway.stop();
    await Promise.all([registry, ...nodes].map((fake) => fake.stop()));
    await folder.remove();
  });

  const clearCalls = () => {
    for (const node of nodes) node.calls.splice(0);
  };
  const infer = (modelName: string, modelVersion = "", options = {}) =>
    gateway.infer("ModelInfer", { modelName, modelVersion }, options);

  for (const [written, version, node] of [
    ["", "2", 1],
    ["1", "1", 0],
    ["2", "2", 1],
    ["stable", "1", 0],
  ] as const) {
    it(`sends version '${written}' to a node that holds version ${version}`, async () => {
      clearCalls();
      const { metadata } = await infer("digits", written);
      expect(nodes.map(({ calls }) => calls.length)).to.deep.equal(node === 0 ? [1, 0] : [0, 1]);
      expect(nodes[node]!.calls[0]!.metadata.get("amaas-version")).to.deep.equal([version]);
      expect(metadata.get("amaas-version")).to.deep.equal([version]);
      expect(metadata.get("amaas-node")).to.deep.equal([nodes[node]!.address]);
    });
  }

  it("forwards requests and replies byte for byte, unknown fields and all", async () => {
    const known = encodeMessage("inference", "inference.ModelInferRequest", { modelName: "digits", id: "7" });
    const request = Buffer.concat([known, Buffer.from([0xc2, 0x3e, 5]), randomBytes(5), randomBytes(0)]);
    const reply = randomBytes(300_000);
    nodes[1]!.handle = (_, answer) => answer(null, reply);
    const { message } = await gateway.client.unary(inferPath, request);
    expect(message.equals(reply)).to.equal(true);
    expect(nodes[1]!.calls.at(-1)!.request.equals(request)).to.equal(true);
  });

  it("carries metadata and trailers both ways, and says the version itself", async () => {
    nodes[1]!.handle = (call, answer) => {
      const headers = new Metadata();
      headers.set("from-node", "head");
      call.sendMetadata(headers);
      const trailers = new Metadata();
      trailers.set("from-node-bin", Buffer.from([0, 255]));
      answer(null, Buffer.alloc(0), trailers);
    };
    const metadata = {
      "x-request-id": "my-id",
      "amaas-version": "default",
      custom: "a",
      "custom-bin": Buffer.from([1, 254]),
    };
    const reply = await infer("digits", "", { metadata });
    const received = nodes[1]!.calls.at(-1)!.metadata;
    expect(received.getMap()).to.include({ "x-request-id": "my-id", "amaas-version": "2", custom: "a" });
    expect(received.get("custom-bin")).to.deep.equal([Buffer.from([1, 254])]);
    expect(reply.metadata.get("from-node")).to.deep.equal(["head"]);
    expect(reply.trailers.get("from-node-bin")).to.deep.equal([Buffer.from([0, 255])]);
  });

  it("makes a request id and a trace where the caller sends none, and says which id", async () => {
    const { metadata } = await infer("digits");
    const [id] = nodes[1]!.calls.at(-1)!.metadata.get("x-request-id");
    expect(id).to.match(/^[0-9a-f-]{36}$/);
    expect(metadata.get("x-request-id")).to.deep.equal([id]);
    expect(nodes[1]!.calls.at(-1)!.metadata.get("traceparent")[0]).to.match(/^00-[0-9a-f]{32}-[0-9a-f]{16}-00$/);
  });

  it("relays a node's error with its rich details", async () => {
    nodes[1]!.handle = (_, answer) =>
      answer(statusOf(new ServiceError("TENSOR_INVALID", "shape is [2], needed: [64]", { metadata: { input: "x" } })));
    expect(await faultOf(infer("digits"))).to.deep.equal({
      code: status.INVALID_ARGUMENT,
      message: "shape is [2], needed: [64]",
      reason: "TENSOR_INVALID",
      metadata: { input: "x" },
    });
  });

  it("relays an error of another make unchanged", async () => {
    const metadata = new Metadata();
    metadata.set("grpc-status-details-bin", Buffer.from([255, 255, 255]));
    nodes[1]!.handle = (_, answer) => answer({ code: status.ABORTED, details: "näh", metadata });
    const failure = await infer("digits").catch((thrown) => thrown);
    expect(failure).to.include({ code: status.ABORTED, details: "näh" });
    expect(failure.metadata.get("grpc-status-details-bin")).to.deep.equal([Buffer.from([255, 255, 255])]);
  });

  it("gives the node the caller's deadline, and the default where there is none", async () => {
    await infer("digits", "", { deadlineMs: Date.now() + 5000 });
    await infer("digits");
    const left = nodes[1]!.calls.slice(-2).map((call) => Number(call.getDeadline()) - Date.now());
    expect(left[0]).to.be.within(3000, 5000);
    expect(left[1]).to.be.within(55_000, 60_000);
  });

  it("cancels the call at the node when the caller cancels", async () => {
    const cancelled = new Promise<void>((resolve) => {
      nodes[1]!.handle = (call) => call.on("cancelled", resolve);
    });
    let cancel = () => {};
    const call = faultOf(
      infer("digits", "", {
        onCancel: (given: () => void) => {
          cancel = given;
        },
      }),
    );
    const before = nodes[1]!.calls.length;
    while (nodes[1]!.calls.length === before) await new Promise(setImmediate);
    cancel();
    await cancelled;
    expect((await call).code).to.equal(status.CANCELLED);
  });

  it("ends the call at the node when the deadline passes", async () => {
    const cancelled = new Promise<void>((resolve) => {
      nodes[1]!.handle = (call) => call.on("cancelled", resolve);
    });
    const fault = await faultOf(infer("digits", "", { deadlineMs: Date.now() + 100 }));
    expect(fault.code).to.equal(status.DEADLINE_EXCEEDED);
    await cancelled;
  });

  it("answers a name that nobody has with the names that exist, nearest first", async () => {
    const fault = await faultOf(infer("digit"));
    expect(fault).to.include({ code: status.NOT_FOUND, reason: "MODEL_NOT_FOUND" });
    expect(fault.message).to.match(/^Request for unknown model: 'digit' is not found; models: digits, /);
  });

  it("answers an unknown version and an unknown alias with those that exist", async () => {
    const version = await faultOf(infer("digits", "9"));
    expect(version).to.include({ code: status.NOT_FOUND, reason: "VERSION_NOT_FOUND" });
    expect(version.message).to.contain("version 9").and.to.contain("versions: 3, 2, 1; aliases: default (2)");
    expect(await faultOf(infer("digits", "latest"))).to.include({ code: status.NOT_FOUND, reason: "ALIAS_NOT_FOUND" });
  });

  it("sends an empty version without an alias default to the newest one that is ready", async () => {
    expect((await infer("unaliased")).metadata.get("amaas-version")).to.deep.equal(["2"]);
  });

  it("answers a version that is nowhere ready with UNAVAILABLE and when to retry", async () => {
    const failure = await infer("digits", "next").catch((thrown) => thrown);
    expect(failure.code).to.equal(status.UNAVAILABLE);
    expect(failure.metadata.get("grpc-status-details-bin")[0].toString("latin1")).to.contain("google.rpc.RetryInfo");
    expect(await faultOf(infer("digits", "next"))).to.include({
      reason: "MODEL_NOT_READY",
      message: "version 3 of model 'digits' is not ready on any node: it is loading",
    });
  });

  it("says ready=false of such a version, asks the node about others, and NOT_FOUND of what does not exist", async () => {
    const ready = async (name: string, version: string) =>
      (await gateway.infer("ModelReady", { name, version })).message;
    expect(await ready("digits", "3")).to.deep.equal(Buffer.from([8, 0]));
    const request = encodeMessage("inference", "inference.ModelReadyRequest", { name: "digits", version: "1" });
    expect((await ready("digits", "1")).equals(request)).to.equal(true);
    expect((await faultOf(ready("nothing", ""))).code).to.equal(status.NOT_FOUND);
  });

  it("refuses malformed bytes with the reason, then the next call works", async () => {
    const fault = await faultOf(gateway.client.unary(inferPath, Buffer.from([0x0a, 0x50, 0x61])));
    expect(fault).to.include({ code: status.INVALID_ARGUMENT, reason: "REQUEST_INVALID" });
    expect(fault.message).to.contain("a field of 80 bytes begins, 1 are left");
    await infer("digits");
  });

  it("answers once more on another replica when a node cannot be reached", async () => {
    for (let i = 0; i < 20; i++) {
      const { metadata } = await infer("half");
      expect(metadata.get("amaas-node")).to.deep.equal([nodes[1]!.address]);
    }
  });

  it("answers once more on another replica when a node dies in the middle of the call", async () => {
    clearCalls();
    for (const node of nodes) {
      node.handle = (call, answer) => {
        if (nodes.flatMap(({ calls }) => calls).length > 1) answer(null, call.request);
        else void node.stop();
      };
    }
    await infer("both");
    expect(nodes.map(({ calls }) => calls.length)).to.deep.equal([1, 1]);
  });

  it("asks another replica where a node no longer holds the version, and says so where there is none", async () => {
    nodes[0]!.handle = (_, answer) => answer(statusOf(new ServiceError("MODEL_NOT_FOUND", "models here: none")));
    for (let i = 0; i < 10; i++) {
      expect((await infer("both")).metadata.get("amaas-node")).to.deep.equal([nodes[1]!.address]);
    }
    const fault = await faultOf(infer("digits", "1"));
    expect(fault).to.include({ code: status.UNAVAILABLE, reason: "MODEL_NOT_READY" });
    expect(fault.message).to.contain(`the node at ${nodes[0]!.address} does not hold it now`);
    const ready = await gateway.infer("ModelReady", { name: "digits", version: "1" });
    expect(ready.message).to.deep.equal(Buffer.from([8, 0]));
  });

  it("does not ask twice after a refusal", async () => {
    clearCalls();
    for (const node of nodes) node.handle = (_, answer) => answer({ code: status.RESOURCE_EXHAUSTED, details: "full" });
    expect((await faultOf(infer("both"))).message).to.equal("full");
    expect(nodes.flatMap(({ calls }) => calls)).to.have.length(1);
  });

  it("says which node is missing where there is no other replica", async () => {
    const fault = await faultOf(infer("gone"));
    expect(fault).to.include({ code: status.UNAVAILABLE, reason: "SERVICE_UNAVAILABLE" });
    expect(fault.message).to.contain(nowhere).and.to.contain("ECONNREFUSED");
  });

  it("gives up on a node that does not take part in the connection, and asks another one", async () => {
    const silent = createServer();
    await new Promise<void>((resolve) => silent.listen(0, "127.0.0.1", resolve));
    const sockets: Socket[] = [];
    silent.on("connection", (socket) => sockets.push(socket));
    const address = `127.0.0.1:${(silent.address() as AddressInfo).port}`;
    registry.change(routeOf("mute", { 1: [address], 2: [address, nodes[0]!.address] }, { default: 1 }));
    const impatient = await Harness.start({
      AMAAS_DATA_DIR: folder.path,
      AMAAS_REGISTRY_ADDRESS: registry.address,
      AMAAS_GATEWAY_CONNECT_TIMEOUT_MS: "50",
    });
    await impatient.routed("mute", "2");
    const fault = await faultOf(impatient.infer("ModelInfer", { modelName: "mute" }));
    expect(fault).to.include({ code: status.UNAVAILABLE, reason: "SERVICE_UNAVAILABLE" });
    expect(fault.message).to.contain("no connection within 50 ms");
    for (let i = 0; i < 5; i++) await impatient.infer("ModelInfer", { modelName: "mute", modelVersion: "2" });
    await impatient.stop();
    for (const socket of sockets) socket.destroy();
    silent.close();
  });

  it("ends a call without a deadline by the default one, and says so", async () => {
    nodes[1]!.handle = () => {};
    const impatient = await Harness.start({
      AMAAS_DATA_DIR: folder.path,
      AMAAS_REGISTRY_ADDRESS: registry.address,
      AMAAS_GATEWAY_DEFAULT_TIMEOUT_MS: "50",
    });
    await eventually(() => impatient.infer("ModelReady", { name: "digits", version: "1" }));
    const fault = await faultOf(impatient.infer("ModelInfer", { modelName: "digits" }));
    expect(fault).to.include({ code: status.DEADLINE_EXCEEDED, reason: "DEADLINE_EXCEEDED" });
    expect(fault.message).to.contain("within the default of 50 ms");
    await impatient.stop();
  });

  it("follows a moved alias, a new model and a removed one", async () => {
    registry.change(routeOf("digits", { 1: [nodes[0]!.address], 2: [nodes[1]!.address] }, { default: 1 }));
    registry.change(routeOf("fresh", { 1: [nodes[0]!.address] }, { default: 1 }));
    registry.remove("both");
    await gateway.routed("fresh");
    expect((await infer("digits")).metadata.get("amaas-version")).to.deep.equal(["1"]);
    for (;;) {
      const outcome = await infer("both").then(
        () => "there",
        () => "gone",
      );
      if (outcome === "gone") break;
    }
  });
});
