import { once } from "node:events";
import { type ClientHttp2Session, type ClientHttp2Stream, connect } from "node:http2";
import { expect } from "chai";
import type { Http2Server } from "../../lib/http2/server.ts";
import { startServer, type TakenStream } from "./taken.ts";

describe("a server of HTTP/2, called by Node's client,", () => {
  let server: Http2Server;
  let session: ClientHttp2Session;
  let taken: TakenStream[];

  const echo = (one: TakenStream) => {
    one.onEnd = () => {
      one.events.push("end");
      one.answer(one.bytes);
    };
  };
  const acts: Readonly<Record<string, (one: TakenStream) => void>> = {
    "/echo": echo,
    "/refused": (one) => one.stream.end({ ":status": 200, "grpc-status": "5" }),
    "/early": (one) => one.answer(Buffer.from("enough")),
    "/paused": (one) => one.stream.pause(),
    "/reset": (one) => one.stream.reset(8),
    "/wait": () => undefined,
  };

  beforeEach(async () => {
    let port: number;
    ({ server, port, taken } = await startServer((one, path) => acts[path]!(one)));
    session = connect(`http://127.0.0.1:${port}`);
    session.on("error", () => undefined);
  });

  afterEach(async () => {
    session.destroy();
    server.destroy();
    await server.close();
  });

  interface Answer {
    readonly headers: Record<string, unknown>;
    readonly trailers: Record<string, unknown> | undefined;
    readonly body: Buffer;
    readonly code: number | undefined;
  }

  const begin = (path: string) => session.request({ ":method": "POST", ":path": path });
  const answerTo = async (stream: ClientHttp2Stream): Promise<Answer> => {
    let headers: Record<string, unknown> = {};
    let trailers: Record<string, unknown> | undefined;
    const chunks: Buffer[] = [];
    stream.on("response", (said) => {
      headers = said;
    });
    stream.on("trailers", (said) => {
      trailers = said;
    });
    stream.on("data", (chunk: Buffer) => chunks.push(chunk));
    stream.on("error", () => undefined);
    await new Promise((resolve) => stream.once("close", resolve));
    return { headers, trailers, body: Buffer.concat(chunks), code: stream.rstCode };
  };
  const call = (path: string, body: Buffer) => {
    const stream = begin(path);
    stream.end(body);
    return answerTo(stream);
  };

  it("takes messages of all sizes and answers them, many at once", async () => {
    const bodies = [0, 1, 100, 16_384, 16_385, 300_000, 2_000_000].map((length) => {
      const body = Buffer.alloc(length);
      for (let place = 0; place < length; place++) body[place] = (place * 31 + length) & 0xff;
      return body;
    });
    const answers = await Promise.all(bodies.map((body) => call("/echo", body)));
    for (const [place, { headers, trailers, body, code }] of answers.entries()) {
      expect(headers[":status"]).to.equal(200);
      expect(body.equals(bodies[place]!)).to.equal(true);
      expect(trailers).to.deep.include({ "grpc-status": "0" });
      expect(code).to.equal(0);
    }
    expect(taken.map(({ failure }) => failure)).to.deep.equal(bodies.map(() => undefined));
  });

  it("gives an answer that is nothing but its end", async () => {
    const { headers, trailers, body } = await call("/refused", Buffer.from("one"));
    expect(headers).to.deep.include({ ":status": 200, "grpc-status": "5" });
    expect(trailers).to.equal(undefined);
    expect(body.length).to.equal(0);
  });

  it("answers before the caller has said all, and wants no more of it", async () => {
    const stream = begin("/early");
    stream.write(Buffer.alloc(100));
    const { trailers, body, code } = await answerTo(stream);
    expect(body.toString()).to.equal("enough");
    expect(trailers).to.deep.include({ "grpc-status": "0" });
    expect(code).to.equal(0);
    await taken[0]!.closed;
  });

  it("holds no more of a paused stream than its window, and gives the rest when it is read", async () => {
    const body = Buffer.alloc(1_500_000, 7);
    const stream = begin("/paused");
    let hasSent = false;
    stream.end(body, () => {
      hasSent = true;
    });
    const answered = answerTo(stream);
    // Another one has room beside it.
    expect((await call("/echo", Buffer.alloc(600_000))).body.length).to.equal(600_000);
    expect(hasSent).to.equal(false);
    const [paused] = taken;
    expect(paused!.events).to.deep.equal([]);
    paused!.onEnd = () => paused!.answer(Buffer.from("all"));
    paused!.stream.resume();
    expect((await answered).body.toString()).to.equal("all");
    expect(paused!.bytes.equals(body)).to.equal(true);
  });

  it("hears that a caller has reset its call, or is gone", async () => {
    const stream = begin("/wait");
    stream.on("error", () => undefined);
    stream.write(Buffer.alloc(1));
    while (taken.length === 0) await new Promise((resolve) => setImmediate(resolve));
    stream.close(8);
    expect(await taken[0]!.closed).to.equal("the other side reset the stream: CANCEL");
    begin("/wait").on("error", () => undefined);
    while (taken.length === 1) await new Promise((resolve) => setImmediate(resolve));
    session.destroy();
    expect(await taken[1]!.closed).to.equal("the connection was lost");
  });

  it("resets a call", async () => {
    expect((await call("/reset", Buffer.alloc(1))).code).to.equal(8);
    expect(await taken[0]!.closed).to.equal(undefined);
  });

  it("finishes the calls that have begun when it closes, and takes no others", async () => {
    const stream = begin("/echo");
    stream.write(Buffer.from("be"));
    await once(session, "remoteSettings");
    while (taken.length === 0) await new Promise((resolve) => setImmediate(resolve));
    const goaway = once(session, "goaway");
    const closing = server.close();
    await goaway;
    stream.end(Buffer.from("gun"));
    expect((await answerTo(stream)).body.toString()).to.equal("begun");
    await closing;
    expect(session.closed).to.equal(true);
  });

  it("closes connections that do nothing at once", async () => {
    await once(session, "remoteSettings");
    await server.close();
  });
});
