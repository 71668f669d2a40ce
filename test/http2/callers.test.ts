import { expect } from "chai";
import { errorCode } from "../../lib/http2/faults.ts";
import { frame, frameFlag, frameType, preface } from "../../lib/http2/frames.ts";
import type { Http2Server } from "../../lib/http2/server.ts";
import { RawCaller, resetOf, widened } from "./raw-caller.ts";
import { data, ping, settings, settingsOf } from "./raw-peer.ts";
import { type serverOptions, startServer, type TakenStream } from "./taken.ts";

const { endStream, endHeaders, acknowledge } = frameFlag;
const { enhanceYourCalm, protocol, refusedStream, flowControl, streamClosed } = errorCode;

describe("a server of HTTP/2, with callers that break its rules,", () => {
  let server: Http2Server;
  let port: number;
  let taken: TakenStream[];
  let caller: RawCaller;

  /** With answers for all, but for the paths "/wait" and "/pause". */
  const start = async (options: Partial<typeof serverOptions> = {}) => {
    const answered = (one: TakenStream, path: string) => {
      if (path === "/pause") one.stream.pause();
      else if (path !== "/wait") one.answer(Buffer.from(path));
    };
    ({ server, port, taken } = await startServer(answered, options));
    caller = new RawCaller(port);
  };

  afterEach(async () => {
    caller.socket.destroy();
    server.destroy();
    await server.close();
  });

  const answered = (stream: number) =>
    caller.sent((sent) => sent.type === frameType.headers && sent.stream === stream && (sent.flags & endStream) !== 0);
  /** Whether the connection lives: the answer to a ping comes behind all before it. */
  const pinged = () => {
    caller.frames.length = 0;
    caller.send(ping());
    return caller.sent(({ type, flags }) => type === frameType.ping && (flags & acknowledge) !== 0);
  };

  for (const [what, bytes] of [
    ["other bytes", Buffer.from("GET / HTTP/1.1\r\nhost: here\r\n\r\n")],
    ["a beginning that is almost right", Buffer.concat([preface.subarray(0, 23), Buffer.of(0)])],
  ] as const) {
    it(`closes a connection of ${what}`, async () => {
      await start();
      for (const byte of bytes) caller.send(Buffer.of(byte));
      await caller.closed();
    });
  }

  it("closes a connection that says nothing, or only half of its settings, in time", async () => {
    await start({ handshakeTimeoutMs: 50 });
    const half = new RawCaller(port);
    half.send(preface, settings.subarray(0, 5));
    await Promise.all([caller.closed(), half.closed()]);
  });

  it("takes what begins in pieces", async () => {
    await start();
    for (const byte of Buffer.concat([preface, settings, caller.call(1, endStream)])) caller.send(Buffer.of(byte));
    await answered(1);
  });

  it("takes no more connections than it may have", async () => {
    await start({ connectionsMax: 2 });
    const others = [new RawCaller(port), new RawCaller(port)];
    caller.greet();
    await pinged();
    await others[1]!.closed();
    expect(others[0]!.isClosed).to.equal(false);
    others[0]!.socket.destroy();
  });

  const faults: readonly (readonly [string, number, (caller: RawCaller) => readonly Uint8Array[]])[] = [
    ["a call of an even number", protocol, (own) => [own.call(2, endStream)]],
    ["data of a call that nobody has begun", protocol, () => [data(7, Buffer.alloc(1))]],
    ["a push", protocol, () => [frame(frameType.pushPromise, endHeaders, 1, Buffer.alloc(4))]],
    [
      "a block of very many frames",
      enhanceYourCalm,
      () => [frame(frameType.headers, 0, 1), ...Array.from({ length: 100 }, () => frame(frameType.continuation, 0, 1))],
    ],
    [
      "more data than a connection has room for",
      flowControl,
      (own) =>
        Array.from({ length: 70 }, (_, index) =>
          index % 10 === 0
            ? own.call(index / 5 + 1, 0, { ":path": "/pause" })
            : data(2 * Math.floor(index / 10) + 1, Buffer.alloc(16_384)),
        ),
    ],
  ];
  for (const [what, code, frames] of faults) {
    it(`gives the connection up that sends ${what}`, async () => {
      await start({ connectionWindowBytes: 512 * 1024 });
      caller.greet();
      caller.send(...frames(caller));
      expect(await caller.faultCode()).to.equal(code);
      await caller.closed();
    });
  }

  const refusals: readonly (readonly [string, number, (caller: RawCaller) => readonly Uint8Array[]])[] = [
    ["without a path", protocol, (own) => [own.call(1, endStream, { ":path": "" })]],
    ["without a method", protocol, (own) => [own.call(1, endStream, { ":method": "" })]],
    ["with a status", protocol, (own) => [own.call(1, endStream, { ":status": "200" })]],
    ["with headers of HTTP/1.1", enhanceYourCalm, (own) => [own.call(1, endStream, { connection: "close" })]],
    ["with too many headers", enhanceYourCalm, (own) => [own.call(1, endStream, { large: "x".repeat(16_330) })]],
    [
      "with data after its end",
      streamClosed,
      (own) => [own.call(1, endStream, { ":path": "/wait" }), data(1, Buffer.of(1))],
    ],
    ["with headers twice", protocol, (own) => [own.call(1, 0, { ":path": "/wait" }), own.call(1)]],
    ["with a window that does not grow", protocol, (own) => [own.call(1, 0, { ":path": "/wait" }), widened(1, 0)]],
    [
      "with a window that is too wide",
      flowControl,
      (own) => [own.call(1, 0, { ":path": "/wait" }), widened(1, 2 ** 31 - 1)],
    ],
  ];
  for (const [what, code, frames] of refusals) {
    it(`resets a call ${what}, and serves others`, async () => {
      await start();
      caller.greet();
      caller.send(...frames(caller), caller.call(3, endStream));
      expect(await caller.resetOf(1)).to.equal(code);
      await answered(3);
    });
  }

  it("refuses more calls at the same time than it may have, so that they can be tried again", async () => {
    await start({ streamsMax: 2 });
    caller.greet();
    caller.send(...[1, 3, 5].map((id) => caller.call(id, endStream, { ":path": "/wait" })));
    expect(await caller.resetOf(5)).to.equal(refusedStream);
    caller.send(resetOf(1), caller.call(7, endStream));
    await answered(7);
  });

  it("passes over what comes for a call that it has answered", async () => {
    await start();
    caller.greet();
    caller.send(caller.call(1));
    expect(await caller.resetOf(1)).to.equal(errorCode.none);
    for (let round = 0; round < 200; round++) caller.send(data(1, Buffer.alloc(16_384)));
    caller.send(caller.call(1, endStream), resetOf(1), widened(1, 10), caller.call(3, endStream));
    await answered(3);
  });

  it("gives a connection up whose calls are reset as soon as they begin, and not for a few", async () => {
    await start();
    caller.greet();
    let id = 1;
    const reset = (count: number) => {
      for (let done = 0; done < count; done++, id += 2) {
        caller.send(caller.call(id, 0, { ":path": "/wait" }), resetOf(id));
      }
    };
    reset(1000);
    await pinged();
    reset(10_000);
    expect(await caller.faultCode()).to.equal(enhanceYourCalm);
    await caller.closed();
    expect(taken.length).to.be.below(10_000);
    expect(new Set(taken.map(({ events }) => events.join()))).to.deep.equal(new Set(["close"]));
  });

  for (const [what, flood] of [
    ["settings", () => settingsOf([4, 1000])],
    ["questions for a sign of life", () => ping()],
  ] as const) {
    it(`gives a connection up that sends ${what} and reads no answer`, async () => {
      await start();
      caller.greet();
      await pinged();
      caller.socket.pause();
      const some = Buffer.concat(Array.from({ length: 5000 }, flood));
      // It ends in an error of the socket, or in its close.
      while (!caller.socket.destroyed) {
        await new Promise((resolve) => caller.socket.write(some, resolve));
      }
      caller.isClosed = true;
    });
  }

  it("gives the window of a connection back when a paused call is gone", async () => {
    await start({ connectionWindowBytes: 512 * 1024 });
    caller.greet();
    for (let id = 1; id < 41; id += 2) {
      caller.send(caller.call(id, 0, { ":path": "/pause" }));
      for (let count = 0; count < 15; count++) caller.send(data(id, Buffer.alloc(16_384)));
      caller.send(resetOf(id));
      await pinged();
    }
    caller.send(caller.call(41, endStream));
    await answered(41);
  });
});
