import { expect } from "chai";
import { type ClientConnection, connectClient } from "../../lib/http2/client.ts";
import { errorCode } from "../../lib/http2/faults.ts";
import { frame, frameFlag, frameOfNumbers, frameType } from "../../lib/http2/frames.ts";
import type { Stream } from "../../lib/http2/stream.ts";
import { begin, bounds, connectionListener, type Heard } from "./heard.ts";
import { data, headers, RawPeer, settings, settingsOf, trailers } from "./raw-peer.ts";

describe("a client of HTTP/2, with a server that breaks the protocol,", () => {
  let peer: RawPeer;
  let client: ClientConnection;
  let connection: ReturnType<typeof connectionListener>;
  let stream: Stream;
  let heard: Heard;

  /** One call is open, with the number 1. */
  beforeEach(async () => {
    peer = new RawPeer();
    connection = connectionListener();
    client = connectClient({ host: "127.0.0.1", port: await peer.listen(), ...bounds }, connection);
    ({ stream, heard } = begin(client));
    await peer.sent(({ type }) => type === frameType.windowUpdate);
  });

  afterEach(() => {
    client.destroy("the test is over");
    peer.stop();
  });

  const { endHeaders, endStream, padded } = frameFlag;
  const large = (bytes: number) => Buffer.alloc(bytes);
  const full = Array.from({ length: 17 }, () => data(1, large(16_384)));
  const connectionFaults: readonly (readonly [string, number, readonly Uint8Array[]])[] = [
    ["other bytes than frames", errorCode.frameSize, [Buffer.from("HTTP/1.1 400 Bad Request\r\n\r\n")]],
    ["a first frame that is no SETTINGS", errorCode.protocol, [headers(1)]],
    ["a frame that is too large", errorCode.frameSize, [settings, Buffer.of(0, 0x40, 1, 0, 0, 0, 0, 0, 1)]],
    ["headers of a call that nobody has begun", errorCode.protocol, [settings, headers(3)]],
    ["data of a call that nobody has begun", errorCode.protocol, [settings, data(5, large(1))]],
    [
      "a reset of a call that nobody has begun",
      errorCode.protocol,
      [settings, frameOfNumbers(frameType.resetStream, 0, 3, 0)],
    ],
    ["a push", errorCode.protocol, [settings, frame(frameType.pushPromise, endHeaders, 1, large(4))]],
    ["a frame between those of a block", errorCode.protocol, [settings, headers(1, 0), data(1, large(1))]],
    [
      "a block that goes on elsewhere",
      errorCode.protocol,
      [settings, headers(1, 0), frame(frameType.continuation, 0, 3)],
    ],
    ["a CONTINUATION of nothing", errorCode.protocol, [settings, frame(frameType.continuation, endHeaders, 1)]],
    [
      "a block of very many frames",
      errorCode.enhanceYourCalm,
      [settings, headers(1, 0), ...Array.from({ length: 100 }, () => frame(frameType.continuation, 0, 1))],
    ],
    [
      "a block that is too large",
      errorCode.enhanceYourCalm,
      [settings, headers(1, 0), frame(frameType.continuation, 0, 1, large(16_384))],
    ],
    [
      "a block that cannot be read",
      errorCode.compression,
      [settings, headers(1, endHeaders, Buffer.of(0xff, 0xff, 0xff))],
    ],
    [
      "a name with capitals",
      errorCode.protocol,
      [settings, headers(1, endHeaders, Buffer.from([0, 1, 0x41, 1, 0x61]))],
    ],
    [
      "the end of a line in a value",
      errorCode.protocol,
      [settings, headers(1, endHeaders, Buffer.from([0, 1, 0x61, 1, 0x0a]))],
    ],
    [
      "headers shorter than their padding",
      errorCode.protocol,
      [settings, frame(frameType.headers, padded, 1, Buffer.of(9, 0x88))],
    ],
    ["data shorter than its padding", errorCode.protocol, [settings, headers(1), data(1, Buffer.of(9), padded)]],
    [
      "a priority that is cut",
      errorCode.frameSize,
      [settings, frame(frameType.headers, frameFlag.priority, 1, large(3))],
    ],
    ["settings of five bytes", errorCode.frameSize, [frame(frameType.settings, 0, 0, large(5))]],
    ["settings of a call", errorCode.protocol, [settings, frame(frameType.settings, 0, 1)]],
    ["an acknowledgement with a payload", errorCode.frameSize, [settings, frame(frameType.settings, 1, 0, large(6))]],
    ["a window that is too wide", errorCode.flowControl, [settingsOf([4, 2 ** 31])]],
    ["frames that are too small", errorCode.protocol, [settingsOf([5, 100])]],
    ["a PING of seven bytes", errorCode.frameSize, [settings, frame(frameType.ping, 0, 0, large(7))]],
    ["a GOAWAY of seven bytes", errorCode.frameSize, [settings, frame(frameType.goaway, 0, 0, large(7))]],
    ["a reset of three bytes", errorCode.frameSize, [settings, frame(frameType.resetStream, 0, 1, large(3))]],
    ["a window that does not grow", errorCode.protocol, [settings, frameOfNumbers(frameType.windowUpdate, 0, 0, 0)]],
    [
      "a connection's window that grows too wide",
      errorCode.flowControl,
      [settings, frameOfNumbers(frameType.windowUpdate, 0, 0, 2 ** 31 - 1)],
    ],
    [
      "windows of calls that settings make too wide",
      errorCode.flowControl,
      [settings, frameOfNumbers(frameType.windowUpdate, 0, 1, 2 ** 31 - 65_536), settingsOf([4, 65_536])],
    ],
  ];
  for (const [what, code, sent] of connectionFaults) {
    it(`gives the connection up that sends ${what}`, async () => {
      peer.send(...sent);
      const goaway = await peer.sent(({ type }) => type === frameType.goaway);
      expect(goaway.payload.readUInt32BE(4)).to.equal(code);
      await peer.closed();
      expect(await heard.closed).to.be.a("string");
      expect(await connection.closed).to.match(/^the other side broke the protocol: ./);
    });
  }

  const streamFaults: readonly (readonly [string, number, readonly Uint8Array[]])[] = [
    ["data before the headers", errorCode.protocol, [data(1, large(1))]],
    ["headers twice", errorCode.protocol, [headers(1), headers(1)]],
    ["a pseudo-header twice", errorCode.protocol, [headers(1, endHeaders, Buffer.of(0x89))]],
    [
      "a pseudo-header after others",
      errorCode.protocol,
      [frame(frameType.headers, endHeaders, 1, Buffer.of(0x90, 0x88))],
    ],
    [
      "a header of HTTP/1.1",
      errorCode.protocol,
      [headers(1, endHeaders, Buffer.concat([Buffer.of(0, 10), Buffer.from("connection"), Buffer.of(0)]))],
    ],
    ["more data than there is room for", errorCode.flowControl, [headers(1), ...full]],
    ["a window that does not grow", errorCode.protocol, [frameOfNumbers(frameType.windowUpdate, 0, 1, 0)]],
    [
      "a window that grows too wide",
      errorCode.flowControl,
      [frameOfNumbers(frameType.windowUpdate, 0, 1, 2 ** 31 - 1)],
    ],
    [
      // One entry of 4 KB, and then a byte for each time it is meant.
      "headers that are small and mean much",
      errorCode.protocol,
      [
        headers(
          1,
          endHeaders,
          Buffer.concat([
            Buffer.of(0x40, 1, 0x61, 0x7f, 0x81, 0x1e),
            Buffer.alloc(3968, "x"),
            Buffer.alloc(5000, 0xbe),
          ]),
        ),
      ],
    ],
  ];
  for (const [what, code, sent] of streamFaults) {
    it(`resets the call that sends ${what}, and goes on with others`, async () => {
      const other = begin(client);
      peer.send(settings);
      await peer.sent(({ type, stream }) => type === frameType.headers && stream === 3);
      // Nobody takes what comes, so that there is never more room.
      stream.pause();
      peer.send(...sent, headers(3), trailers(3));
      const reset = await peer.sent(({ type, stream }) => type === frameType.resetStream && stream === 1);
      expect(reset.payload.readUInt32BE(0)).to.equal(code);
      expect(await heard.closed).to.match(/^the other side broke the protocol: ./);
      other.stream.end();
      expect(await other.heard.closed).to.equal(undefined);
      expect(other.heard.trailers).to.include({ "grpc-status": "0" });
    });
  }
  it("gives up one that never reads the answers to what it asks", async () => {
    peer.send(settings);
    peer.socket!.pause();
    const pings = Buffer.concat(Array.from({ length: 5000 }, () => frame(frameType.ping, 0, 0, large(8))));
    for (let round = 0; round < 1000 && !peer.isClosed && connection.told.at(-1) !== "close"; round++) {
      peer.send(pings);
      await new Promise((resolve) => setImmediate(resolve));
    }
    expect(await connection.closed).to.match(/has not read/);
  });

  it("closes the calls that a GOAWAY leaves out, and finishes the others", async () => {
    const other = begin(client);
    peer.send(settings);
    await peer.sent(({ type, stream }) => type === frameType.headers && stream === 3);
    peer.send(frameOfNumbers(frameType.goaway, 0, 0, 1, errorCode.none));
    expect(await other.heard.closed).to.equal("the other side takes no more calls");
    expect(await begin(client).heard.closed).to.equal("the connection takes no more calls");
    stream.end();
    peer.send(headers(1), data(1, Buffer.from("all")), trailers(1));
    await peer.sent(({ type, flags, stream }) => type === frameType.data && stream === 1 && flags === endStream);
    expect(await heard.closed).to.equal(undefined);
    expect(await connection.closed).to.equal(undefined);
    await peer.closed();
  });
});
