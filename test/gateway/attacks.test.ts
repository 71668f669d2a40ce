import { once } from "node:events";
import {
  type ClientHttp2Session,
  type ClientHttp2Stream,
  connect,
  constants,
  type OutgoingHttpHeaders,
} from "node:http2";
import { createConnection, type Socket } from "node:net";
import { expect } from "chai";
import { FakeNode } from "./fake-node.ts";
import { FakeRegistry } from "./fake-registry.ts";
import { emptyFolder, eventually, Harness, inferPath, routeOf } from "./harness.ts";

const callTimeoutMs = 300;

describe("a gateway under attack goes on serving others", () => {
  let folder: Awaited<ReturnType<typeof emptyFolder>>;
  let node: FakeNode;
  let registry: FakeRegistry;
  let gateway: Harness;
  const sockets = new Set<Socket>();
  const sessions = new Set<ClientHttp2Session>();

  before(async () => {
    folder = await emptyFolder();
    node = await new FakeNode().start();
    registry = await new FakeRegistry([routeOf("digits", { 1: [node.address] }, { default: 1 })]).start();
    gateway = await Harness.start({
      AMAAS_DATA_DIR: folder.path,
      AMAAS_REGISTRY_ADDRESS: registry.address,
      AMAAS_GATEWAY_DEFAULT_TIMEOUT_MS: String(callTimeoutMs),
      AMAAS_CONNECTIONS_MAX: "1200",
      AMAAS_HANDSHAKE_TIMEOUT_MS: "500",
    });
    await gateway.routed("digits");
  });

  afterEach(async () => {
    for (const session of sessions) session.destroy();
    for (const socket of sockets) socket.destroy();
    sessions.clear();
    sockets.clear();
    await served();
  });

  after(async () => {
    await gateway.stop();
    await Promise.all([registry.stop(), node.stop()]);
    await folder.remove();
  });

  /** One call of somebody else, while the attack goes on. */
  const served = () => gateway.infer("ModelInfer", { modelName: "digits" }, { deadlineMs: Date.now() + 5000 });

  const rawSocket = async (): Promise<Socket> => {
    const [host, port] = gateway.address.split(":") as [string, string];
    const socket = createConnection({ host, port: Number(port) });
    socket.on("error", () => undefined);
    sockets.add(socket);
    await once(socket, "connect");
    return socket;
  };

  const session = (): ClientHttp2Session => {
    const made = connect(`http://${gateway.address}`);
    made.on("error", () => undefined);
    sessions.add(made);
    return made;
  };

  const begin = (own: ClientHttp2Session, headers: OutgoingHttpHeaders = {}): ClientHttp2Stream => {
    const stream = own.request(
      {
        ":method": "POST",
        ":path": inferPath,
        "content-type": "application/grpc",
        te: "trailers",
        ...headers,
      },
      { endStream: false },
    );
    return stream.on("error", () => undefined);
  };

  /** The gRPC status that a stream ends with; undefined where it is only reset. */
  const statusOf = async (stream: ClientHttp2Stream): Promise<string | undefined> => {
    let said: unknown;
    stream.on("response", (headers) => {
      said = headers["grpc-status"] ?? said;
    });
    stream.on("trailers", (headers) => {
      said = headers["grpc-status"];
    });
    stream.resume();
    if (!stream.closed) await new Promise((resolve) => stream.once("close", resolve));
    return said === undefined ? undefined : String(said);
  };

  const isClosed = (socket: Socket) => socket.destroyed || socket.readableEnded;

  it("with a thousand connections that never say anything, and closes them", async () => {
    const silent = await Promise.all(Array.from({ length: 1000 }, rawSocket));
    for (const socket of silent) socket.resume();
    await served();
    await eventually(() => expect(silent.every(isClosed)).to.equal(true));
  });

  it("with more connections than it may have, of which it takes no more", async () => {
    const own = session();
    await statusOf(begin(own).end());
    const many = await Promise.all(Array.from({ length: 1300 }, rawSocket));
    for (const socket of many) socket.resume();
    await eventually(() => expect(many.filter(isClosed).length).to.be.above(100));
    expect(own.destroyed).to.equal(false);
    await served();
  });

  it("with bytes that are no HTTP/2", async () => {
    for (const text of [
      "GET / HTTP/1.1\r\n\r\n",
      "\0".repeat(100),
      "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\nxxxxxxxxxxxxxxxxxx",
    ]) {
      const socket = (await rawSocket()).resume();
      socket.write(text);
      await eventually(() => expect(isClosed(socket)).to.equal(true));
    }
  });

  it("with headers that never end", async () => {
    const preface = Buffer.from("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n");
    const settings = Buffer.from([0, 0, 0, 4, 0, 0, 0, 0, 0]);
    // HEADERS of stream 1 without END_HEADERS.
    const headers = Buffer.from([0, 0, 1, 1, 0, 0, 0, 0, 1, 0x83]);
    const slow = await Promise.all(Array.from({ length: 100 }, rawSocket));
    for (const socket of slow) socket.resume().write(Buffer.concat([preface, settings, headers]));
    await served();
    // CONTINUATION frames of nothing, one after the other.
    const continuation = Buffer.from([0, 0, 0, 9, 0, 0, 0, 0, 1]);
    for (const socket of slow)
      for (let count = 0; count < 1000 && !isClosed(socket); count++) socket.write(continuation);
    await eventually(() => expect(slow.every(isClosed)).to.equal(true));
  });

  it("with messages that never end, which it gives up by their deadline", async () => {
    const own = session();
    const slow = Array.from({ length: 100 }, () => {
      const stream = begin(own);
      stream.write(Buffer.from([0, 0, 0, 1, 0, 1]));
      return statusOf(stream);
    });
    await served();
    expect(new Set(await Promise.all(slow))).to.deep.equal(new Set(["4"]));
  });

  it("with calls that are reset as soon as they begin", async () => {
    const own = session();
    await once(own, "remoteSettings");
    for (let round = 0; round < 100 && !own.destroyed; round++) {
      for (let count = 0; count < 200 && !own.destroyed; count++) {
        if (!own.closed) begin(own).close(constants.NGHTTP2_CANCEL);
      }
      if (round % 10 === 0) await served();
      await new Promise((resolve) => setImmediate(resolve));
    }
    await eventually(() => expect(own.destroyed || own.closed).to.equal(true));
    expect(node.calls.length).to.be.below(1000);
  });

  it("with headers that are too large", async () => {
    const own = session();
    for (const count of [1, 200]) {
      const large = Object.fromEntries(Array.from({ length: count }, (_, i) => [`k${i}`, "x".repeat(100_000 / count)]));
      expect(await statusOf(begin(own, large).end())).not.to.equal("0");
    }
  });

  for (const path of [
    "",
    "/",
    "*",
    "//",
    "/inference.GRPCInferenceService",
    "/inference.GRPCInferenceService/",
    "/inference.GRPCInferenceService/Nothing",
    "/inference.GRPCInferenceService/ModelInfer/",
    "/../etc/passwd",
    "/%00",
    "/__proto__/constructor",
    `/${"a".repeat(8000)}`,
  ]) {
    it(`with a call of the path ${path.slice(0, 40) || "that is empty"}`, async () => {
      const stream = begin(session(), { ":path": path });
      expect(await statusOf(stream.end())).to.be.oneOf(["12", undefined]);
    });
  }

  for (const [what, headers] of [
    ["another method", { ":method": "GET" }],
    ["another type", { "content-type": "text/html" }],
    ["a time that is none", { "grpc-timeout": "soon" }],
    ["an encoding that is none", { "grpc-encoding": "rot13" }],
    ["two lengths", { "content-length": "4" }],
  ] as const) {
    it(`with a call of ${what}`, async () => {
      const stream = begin(session(), headers);
      stream.end(Buffer.from([1, 0, 0, 0, 1, 0]));
      expect(await statusOf(stream)).to.be.oneOf(["3", "12", "13", undefined]);
    });
  }
});
