import { once } from "node:events";
import { connect, type Socket } from "node:net";
import { expect } from "chai";
import { eventually } from "../harness.ts";
import { InferenceFixture } from "./inference-fixture.ts";
import { sendRaw } from "./raw-http.ts";

const inferBody = JSON.stringify({ inputs: [{ name: "x", datatype: "FP32", shape: [1], data: [1] }] });
const inferHead = `POST /v2/models/digits/infer HTTP/1.1\r\nhost: x\r\ncontent-length: ${inferBody.length}\r\n`;

describe("the HTTP server of a gateway", () => {
  const fixture = new InferenceFixture();
  const sockets: Socket[] = [];

  const open = async () => {
    const { hostname, port } = new URL(fixture.gateway.httpUrl);
    const socket = connect(Number(port), hostname);
    // A reset is an end.
    socket.on("error", () => undefined);
    sockets.push(socket);
    await once(socket, "connect");
    return socket;
  };
  /** All that comes until the other side ends the connection. */
  const rest = async (socket: Socket) => {
    let text = "";
    socket.on("data", (bytes) => {
      text += bytes;
    });
    if (!socket.closed) await once(socket, "close");
    return text;
  };
  const isServed = async () => {
    const { status } = await sendRaw(fixture.gateway.httpUrl, `${inferHead}connection: close\r\n\r\n${inferBody}`);
    expect(status).to.equal(200);
  };

  before(() =>
    fixture.start({
      AMAAS_GATEWAY_HTTP_CONNECTIONS_MAX: "20",
      AMAAS_GATEWAY_HTTP_ORIGINS: "https://app.example.com",
      AMAAS_GATEWAY_CALLS_MAX: "2",
    }),
  );
  beforeEach(() => fixture.forget());
  afterEach(() => {
    for (const socket of sockets.splice(0)) socket.destroy();
  });
  after(() => fixture.stop());

  it("closes connections above its limit, and serves again when others are gone", async () => {
    const open20 = await Promise.all(Array.from({ length: 20 }, open));
    const over = await Promise.all([open(), open(), open()]);
    await Promise.all(over.map(rest));
    for (const socket of open20) socket.destroy();
    await eventually(isServed);
  });

  it("says what is wrong with malformed requests, and closes", async () => {
    for (const [text, status, message] of [
      ["GET\r\n\r\n", 400, /^the request is not HTTP\/1\.1: /],
      ["\0\0\0\0", 400, /^the request is not HTTP\/1\.1: /],
      ["GET / HTTP/1.1\r\nconnection: close\r\n\r\n", 400, /^the header host is missing/],
      [
        "POST / HTTP/1.1\r\nhost: x\r\nexpect: more\r\ncontent-length: 2\r\n\r\n{}",
        417,
        /^expect is "more"; needed: 100/,
      ],
      [`GET / HTTP/1.1\r\n${"x".repeat(20_000)}: y\r\n\r\n`, 431, /^the headers are too long; needed: at most 16384/],
    ] as const) {
      const answer = await sendRaw(fixture.gateway.httpUrl, text);
      expect([answer.status, JSON.parse(answer.body).code]).to.deep.equal([status, 3]);
      expect(JSON.parse(answer.body).error).to.match(message);
    }
    await isServed();
  });

  it("names the methods of a path to who takes another one", async () => {
    for (const [method, path, allowed] of [
      ["GET", "/predict", "POST"],
      ["DELETE", "/v2/models/digits", "GET"],
      ["HEAD", "/v1/models", "POST, GET"],
      ["OPTIONS", "/openapi.json", "GET"],
    ]) {
      const response = await fetch(`${fixture.gateway.httpUrl}${path}`, { method: method! });
      expect([response.status, response.headers.get("allow")]).to.deep.equal([405, allowed]);
    }
  });

  it("does not read a body that is too large to the end", async () => {
    const socket = await open();
    socket.write("POST /predict HTTP/1.1\r\nhost: x\r\ncontent-length: 99999999999\r\n\r\n");
    expect(await rest(socket)).to.match(/^HTTP\/1\.1 413 /);
  });

  it("cancels the call at the node when its caller goes away", async () => {
    const { handle } = fixture.node;
    const cancelled = new Promise<void>((resolve) => {
      fixture.node.handle = (call, reply) => {
        if (!call.getPath().endsWith("/ModelInfer")) return handle(call, reply);
        call.on("cancelled", () => resolve());
        socket.destroy();
      };
    });
    const socket = await open();
    socket.write(`${inferHead}\r\n${inferBody}`);
    await cancelled;
    fixture.node.handle = handle;
  });

  it("holds calls to the deadline in grpc-timeout", async () => {
    const { handle } = fixture.node;
    fixture.node.handle = (call, reply) => (call.getPath().endsWith("/ModelInfer") ? undefined : handle(call, reply));
    const response = await fixture.post("/v2/models/digits/infer", inferBody, { "grpc-timeout": "30m" });
    expect(response.status).to.equal(504);
    expect(await response.json()).to.include({ code: 4, error: "the deadline has passed" });
    const refused = await fixture.post("/v2/models/digits/infer", inferBody, { "grpc-timeout": "soon" });
    expect(refused.status).to.equal(400);
    fixture.node.handle = handle;
  });

  it("refuses calls above the gateway's limit with 429, and when to come again", async () => {
    const { handle } = fixture.node;
    const held: (() => void)[] = [];
    const isFull = new Promise<void>((resolve) => {
      fixture.node.handle = (call, reply) => {
        held.push(() => handle(call, reply));
        if (held.length === 2) resolve();
      };
    });
    const running = [
      fixture.post("/v2/models/digits/infer", inferBody),
      fixture.post("/v2/models/digits/infer", inferBody),
    ];
    await isFull;
    const refused = await fixture.post("/v2/models/digits/infer", inferBody);
    expect(refused.status).to.equal(429);
    expect(refused.headers.get("retry-after")).to.equal("1");
    fixture.node.handle = handle;
    for (const answer of held) answer();
    for (const { status } of await Promise.all(running)) expect(status).to.equal(200);
  });

  it("lets pages of allowed origins in, and of no others", async () => {
    const preflight = (origin: string) =>
      sendRaw(
        fixture.gateway.httpUrl,
        `OPTIONS /predict HTTP/1.1\r\nhost: x\r\norigin: ${origin}\r\naccess-control-request-method: POST\r\n` +
          "access-control-request-headers: content-type\r\nconnection: close\r\n\r\n",
      );
    const allowed = await preflight("https://app.example.com");
    expect(allowed.status).to.equal(204);
    expect(allowed.headers).to.include({
      "access-control-allow-origin": "https://app.example.com",
      "access-control-allow-headers": "content-type",
    });
    expect((await preflight("https://evil.example.com")).status).to.equal(403);
    // A browser does not ask before it sends a plain text.
    const plain = await fixture.post("/v2/models/digits/infer", inferBody, { origin: "https://evil.example.com" });
    expect(plain.status).to.equal(403);
    expect(await plain.json()).to.have.nested.property("details[0].reason", "ORIGIN_REFUSED");
    expect(fixture.seen).to.deep.equal([]);
    const own = await fixture.post("/v2/models/digits/infer", inferBody, { origin: fixture.gateway.httpUrl });
    expect(own.status).to.equal(200);
  });

  it("refuses headers that no call can carry", async () => {
    const { status, body } = await sendRaw(
      fixture.gateway.httpUrl,
      `${inferHead}amaas-principal: m\xfcller\r\nconnection: close\r\n\r\n${inferBody}`,
    );
    expect(status).to.equal(400);
    expect(JSON.parse(body).error).to.match(/^the header amaas-principal has characters/);
  });

  it("finishes accepted requests when it drains, also those that come on connections that are open", async () => {
    const draining = await new InferenceFixture().start();
    const { handle } = draining.node;
    let answer = () => {};
    const isThere = new Promise<void>((resolve) => {
      draining.node.handle = (call, reply) => {
        answer = () => handle(call, reply);
        resolve();
      };
    });
    const accepted = draining.post("/v2/models/digits/infer", inferBody);
    await isThere;
    const { hostname, port } = new URL(draining.gateway.httpUrl);
    const silent = connect(Number(port), hostname).on("error", () => undefined);
    await once(silent, "connect");
    const beginMs = performance.now();
    const stopped = draining.stop();
    draining.node.handle = handle;
    answer();
    expect((await accepted).status).to.equal(200);
    await stopped;
    // Who has connected and said nothing does not hold it up.
    expect(performance.now() - beginMs).to.be.below(5000);
  });
});
