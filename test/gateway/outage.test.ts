import { readFile, writeFile } from "node:fs/promises";
import { connect } from "node:http2";
import { join } from "node:path";
import { status } from "@grpc/grpc-js";
import { expect } from "chai";
import { encodeMessage } from "../../lib/rpc/protos.ts";
import { FakeNode } from "./fake-node.ts";
import { FakeRegistry } from "./fake-registry.ts";
import { emptyFolder, eventually, faultOf, Harness, inferPath, nowhere, routeOf } from "./harness.ts";

describe("the gateway keeps answering:", () => {
  let folder: Awaited<ReturnType<typeof emptyFolder>>;
  let node: FakeNode;
  let registry: FakeRegistry;
  let gateway: Harness;

  const start = (registryAddress: string) =>
    Harness.start({ AMAAS_DATA_DIR: folder.path, AMAAS_REGISTRY_ADDRESS: registryAddress });
  const infer = (modelVersion = "") => gateway.infer("ModelInfer", { modelName: "digits", modelVersion });
  const portOf = (address: string) => Number(address.split(":")[1]);

  beforeEach(async () => {
    folder = await emptyFolder();
    node = await new FakeNode().start();
    registry = await new FakeRegistry([routeOf("digits", { 1: [node.address] }, { default: 1 })]).start();
    gateway = await start(registry.address);
    await gateway.routed("digits");
  });

  afterEach(async () => {
    await gateway.stop();
    await Promise.all([registry.stop(), node.stop()]);
    await folder.remove();
  });

  it("the registry is down", async () => {
    await registry.stop();
    await infer();
    expect((await gateway.infer("ServerReady", {})).message).to.deep.equal(Buffer.from([8, 1]));
  });

  it("the gateway starts while the registry is down", async () => {
    await registry.stop();
    await gateway.stop();
    gateway = await start(nowhere);
    const { metadata } = await infer();
    expect(metadata.get("amaas-version")).to.deep.equal(["1"]);
  });

  it("the registry comes back with another table", async () => {
    await registry.stop();
    const changed = [routeOf("digits", { 1: [node.address], 2: [node.address] }, { default: 2 })];
    registry = await new FakeRegistry(changed, {}, portOf(registry.address)).start();
    await gateway.routed("digits", "2");
    expect((await infer()).metadata.get("amaas-version")).to.deep.equal(["2"]);
  });

  it("a node comes back at the same address", async () => {
    await node.stop();
    expect((await faultOf(infer())).code).to.equal(status.UNAVAILABLE);
    node = await new FakeNode(portOf(node.address)).start();
    await eventually(() => infer());
  });

  for (const [what, damage] of [
    ["cut short", (text: string) => text.slice(0, -5)],
    ["of another format", (text: string) => text.replace('"format":3', '"format":2')],
    ["with a version that is no number", (text: string) => text.replace('"version":1', '"version":"one"')],
  ] as const) {
    it(`the table on disk is ${what}: it is ignored until the registry answers`, async () => {
      await gateway.stop();
      const file = join(folder.path, "gateway", "routes.json");
      const text = await readFile(file, "utf8");
      expect(damage(text)).not.to.equal(text);
      await writeFile(file, damage(text));
      gateway = await start(nowhere);
      expect((await gateway.infer("ServerReady", {})).message).to.deep.equal(Buffer.from([8, 0]));
      expect(await faultOf(infer())).to.include({ code: status.UNAVAILABLE, reason: "SERVICE_UNAVAILABLE" });
      await gateway.stop();
      gateway = await start(registry.address);
      await gateway.routed("digits");
      await gateway.stop();
      expect(await readFile(file, "utf8")).to.equal(text);
      gateway = await start(nowhere);
    });
  }

  it("a call whose deadline has passed ends at once and never reaches a node", async () => {
    const request = encodeMessage("inference", "inference.ModelInferRequest", { modelName: "digits" });
    const before = node.calls.length;
    expect(await grpcStatus(gateway.address, request, "0m")).to.equal(String(status.DEADLINE_EXCEEDED));
    await infer();
    expect(node.calls.length).to.equal(before + 1);
  });

  it("a call that was accepted finishes while the gateway drains", async () => {
    let answer = () => {};
    node.handle = (call, reply) => {
      answer = () => reply(null, call.request);
    };
    const before = node.calls.length;
    const call = infer();
    while (node.calls.length === before) await new Promise(setImmediate);
    const stopped = gateway.stop();
    answer();
    await call;
    await stopped;
  });
});

/** The grpc-status of a call with a header that no client library sends. */
async function grpcStatus(address: string, message: Buffer, timeout: string): Promise<unknown> {
  const session = connect(`http://${address}`);
  const stream = session.request({
    ":method": "POST",
    ":path": inferPath,
    "content-type": "application/grpc",
    "grpc-timeout": timeout,
    te: "trailers",
  });
  const head = Buffer.alloc(5);
  head.writeUInt32BE(message.length, 1);
  stream.end(Buffer.concat([head, message]));
  stream.resume();
  const seen = await new Promise((resolve) => {
    stream.on("response", (headers) => headers["grpc-status"] && resolve(headers["grpc-status"]));
    stream.on("trailers", (headers) => resolve(headers["grpc-status"]));
  });
  session.close();
  return seen;
}
