import { type ClientHttp2Session, connect, createServer, type Http2Server, type OutgoingHttpHeaders } from "node:http2";
import type { AddressInfo } from "node:net";
import { gzipSync } from "node:zlib";
import { status } from "@grpc/grpc-js";
import { expect } from "chai";
import { ServiceError } from "../../lib/errors.ts";
import { framed } from "../../lib/rpc/framing.ts";
import { encodeMessage } from "../../lib/rpc/protos.ts";
import { timeoutMsOf, timeoutText } from "../../lib/rpc/timeout.ts";
import { endOfHeaders, endOfThrown } from "../../services/gateway/call/call-end.ts";
import { FakeNode } from "./fake-node.ts";
import { FakeRegistry } from "./fake-registry.ts";
import { emptyFolder, faultOf, Harness, inferPath, routeOf } from "./harness.ts";

describe("the headers of gRPC", () => {
  for (const [text, ms] of [
    ["3H", 10_800_000],
    ["2M", 120_000],
    ["10S", 10_000],
    ["99999999m", 99_999_999],
    ["1500u", 1.5],
    ["0n", 0],
  ] as const) {
    it(`give ${ms} ms as ${text}`, () => expect(timeoutMsOf(text)).to.equal(ms));
  }

  for (const text of ["", "1", "S", "-1S", "1.5S", "123456789m", "1 S", "1x"]) {
    it(`refuse the timeout ${JSON.stringify(text)}`, () => {
      expect(() => timeoutMsOf(text)).to.throw(ServiceError, `grpc-timeout is ${JSON.stringify(text)}; needed:`);
    });
  }

  it("say any time in 8 digits, never shorter than it is", () => {
    for (const ms of [0, 0.2, 1, 999.5, 99_999_999, 1e8, 3e9, 1e12]) {
      const again = timeoutMsOf(timeoutText(ms));
      expect(again).to.be.within(Math.min(ms, 9.9e10), Math.max(ms + 1000, 1));
    }
  });

  it("carry any text", () => {
    for (const details of ["plain", "ünï 100% \n\u0000", "a%20b", "", "日本"]) {
      const said = endOfThrown(new ServiceError("MODEL_NOT_FOUND", details)).trailers;
      expect(String(said["grpc-message"] ?? "")).to.match(/^[ -~]*$/);
      expect(endOfHeaders({ ":status": 200, ...said } as never)).to.include({ code: status.NOT_FOUND, details });
    }
  });

  it("of a server without gRPC are understood by their HTTP status", () => {
    const codes = [503, 404, 401, 302].map((code) => endOfHeaders({ ":status": String(code) }).code);
    expect(codes).to.deep.equal([status.UNAVAILABLE, status.UNIMPLEMENTED, status.UNAUTHENTICATED, status.UNKNOWN]);
    expect(endOfHeaders({ ":status": "200", "grpc-status": "many" }).code).to.equal(status.UNKNOWN);
  });
});

describe("the gateway, for whoever speaks HTTP/2 by himself,", () => {
  let folder: Awaited<ReturnType<typeof emptyFolder>>;
  let node: FakeNode;
  let web: Http2Server;
  let registry: FakeRegistry;
  let gateway: Harness;
  let session: ClientHttp2Session;
  /** Of the messages that the last call was answered with. */
  let byteCount: number;

  before(async () => {
    folder = await emptyFolder();
    node = await new FakeNode().start();
    web = createServer((_, response) => response.writeHead(502).end("<html>"));
    await new Promise<void>((resolve) => web.listen(0, "127.0.0.1", resolve));
    const webAddress = `127.0.0.1:${(web.address() as AddressInfo).port}`;
    registry = await new FakeRegistry([
      routeOf("digits", { 1: [node.address] }, { default: 1 }),
      routeOf("web", { 1: [webAddress] }, { default: 1 }),
    ]).start();
    gateway = await Harness.start({
      AMAAS_DATA_DIR: folder.path,
      AMAAS_REGISTRY_ADDRESS: registry.address,
      AMAAS_MESSAGE_BYTES_MAX: "100000",
      AMAAS_GATEWAY_DEFAULT_TIMEOUT_MS: "1000",
    });
    await gateway.routed("digits");
    session = connect(`http://${gateway.address}`);
  });

  after(async () => {
    session.destroy();
    web.close();
    await gateway.stop();
    await Promise.all([registry.stop(), node.stop()]);
    await folder.remove();
  });

  /** The HTTP status, the gRPC status and its text of a call with these bytes; the stream stays open where `isOpen`. */
  const call = async (bytes: Uint8Array, headers: OutgoingHttpHeaders = {}, isOpen = false) => {
    const stream = session.request({
      ":method": "POST",
      ":path": inferPath,
      "content-type": "application/grpc",
      te: "trailers",
      ...headers,
    });
    stream.on("error", () => undefined);
    stream.write(bytes);
    if (!isOpen) stream.end();
    let seen: Readonly<Record<string, unknown>> = {};
    byteCount = 0;
    stream.on("response", (received) => {
      seen = { ...seen, ...received };
    });
    stream.on("trailers", (received) => {
      seen = { ...seen, ...received };
    });
    stream.on("data", (received: Buffer) => {
      byteCount += received.length;
    });
    await new Promise((resolve) => stream.once("close", resolve));
    return [seen[":status"], Number(seen["grpc-status"]), decodeURIComponent(String(seen["grpc-message"] ?? ""))];
  };
  const message = encodeMessage("inference", "inference.ModelInferRequest", { modelName: "digits" });

  it("routes a compressed message by what is in it, and forwards it as it is", async () => {
    const packed = framed(gzipSync(message));
    packed[0] = 1;
    expect(await call(packed, { "grpc-encoding": "gzip" })).to.deep.equal([200, status.OK, "OK"]);
    expect(node.calls.at(-1)!.request.equals(message)).to.equal(true);
  });

  const packedBomb = framed(gzipSync(Buffer.alloc(200_000)));
  packedBomb[0] = 1;
  const unknown = framed(message);
  unknown[0] = 1;
  const claim = Buffer.from([0, 0x7f, 0xff, 0xff, 0xff, 1]);
  for (const [what, bytes, code, text] of [
    ["no message", Buffer.alloc(0), status.INVALID_ARGUMENT, "the call has no message"],
    ["half a prefix", Buffer.alloc(3), status.INVALID_ARGUMENT, "the call ends inside of its message"],
    ["half a message", framed(message).subarray(0, 8), status.INVALID_ARGUMENT, "ends inside of its message"],
    [
      "two messages",
      Buffer.concat([framed(message), framed(message)]),
      status.INVALID_ARGUMENT,
      "more than one message",
    ],
    ["a claim of 2 GiB", claim, status.RESOURCE_EXHAUSTED, "the message has 2147483647 bytes; needed: at most 100000"],
    ["an unknown compression", unknown, status.INVALID_ARGUMENT, "needed: 0, or 1 with one of gzip, deflate"],
  ] as const) {
    it(`refuses ${what}`, async () => {
      const [http, grpc, said] = await call(bytes);
      expect([http, grpc]).to.deep.equal([200, code]);
      expect(said).to.contain(text);
    });
  }

  it("refuses what is larger than it may be once it is decompressed", async () => {
    const [, code, text] = await call(packedBomb, { "grpc-encoding": "gzip" });
    expect(code).to.equal(status.RESOURCE_EXHAUSTED);
    expect(text).to.match(/what was compressed has more than \d+ bytes/);
  });

  it("refuses a claim that is too large while its sender goes on", async () => {
    expect((await call(claim, {}, true))[1]).to.equal(status.RESOURCE_EXHAUSTED);
  });

  it("refuses a timeout that is none", async () => {
    expect((await call(framed(message), { "grpc-timeout": "soon" }))[1]).to.equal(status.INVALID_ARGUMENT);
  });

  it("ends a call whose message never ends at its deadline", async () => {
    const slow = framed(message).subarray(0, 6);
    expect((await call(slow, { "grpc-timeout": "50m" }, true)).slice(0, 2)).to.deep.equal([200, 4]);
    expect((await call(slow, {}, true))[2]).to.contain("was not answered within the default of 1000 ms");
  });

  it("says 415 to other content types, as grpc-js does, and UNIMPLEMENTED of other methods", async () => {
    expect((await call(framed(message), { "content-type": "application/json" }))[0]).to.equal(415);
    const path = "/inference.GRPCInferenceService/ModelGuess";
    expect((await call(framed(message), { ":path": path })).slice(0, 2)).to.deep.equal([200, status.UNIMPLEMENTED]);
  });

  it("answers for the server by itself", async () => {
    expect((await gateway.infer("ServerLive", {})).message).to.deep.equal(Buffer.from([8, 1]));
    expect((await gateway.infer("ServerReady", {})).message).to.deep.equal(Buffer.from([8, 1]));
    expect((await gateway.infer("ServerMetadata", {})).message.toString()).to.contain("amaas");
    expect((await faultOf(gateway.infer("LogSettings", {}))).code).to.equal(status.UNIMPLEMENTED);
  });

  it("understands a node that is a web server", async () => {
    const request = encodeMessage("inference", "inference.ModelInferRequest", { modelName: "web" });
    const [http, code, text] = await call(framed(request));
    expect([http, code, byteCount]).to.deep.equal([200, status.UNAVAILABLE, 0]);
    expect(text).to.contain("HTTP status 502");
  });
});
