import { type AddressInfo, createServer, type Server, type Socket } from "node:net";
import { expect } from "chai";
import { FrameReader, flag, frame, frameType, windowUpdate } from "../../bench/harness/frames.ts";
import { rate } from "../../bench/harness/unary-load.ts";

const prefaceBytes = 24;
const firstWindowBytes = 65_535;
/** 5 of these calls fit into the window, 6 do not. */
const load = { path: "/bench.Bare/Call", requests: [Buffer.alloc(12_000).toString("base64")], connections: 1 };

describe("the load of a bench", () => {
  let server: Server;
  let sockets: Socket[];
  let mostBytes: number;
  let port: number;
  beforeEach(async () => {
    sockets = [];
    mostBytes = 0;
    server = createServer((socket) => {
      sockets.push(socket);
      serve(socket);
    });
    await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
    port = (server.address() as AddressInfo).port;
  });
  afterEach(async () => {
    for (const socket of sockets) socket.destroy();
    await new Promise((resolve) => server.close(resolve));
  });

  it("never sends more than the server takes, and all of it in the end", async () => {
    const { calls } = await rate({ ...load, port, inFlightPerConnection: 32, durationMs: 200 });
    expect(calls).to.be.at.least(32);
    expect(mostBytes).to.be.within(12_000, firstWindowBytes);
  });

  /** Answers calls and gives their bytes back only when a ping says that whatever the caller had sent by then has come. */
  function serve(socket: Socket): void {
    const frames = new FrameReader();
    let preface = prefaceBytes;
    let bytes = 0;
    let streams: number[] = [];
    let isPinging = false;
    socket.on("error", () => undefined);
    socket.on("data", (chunk: Buffer) => {
      const skipped = Math.min(preface, chunk.length);
      preface -= skipped;
      for (const { type, flags, stream, payload } of frames.read(chunk.subarray(skipped))) {
        if (type === frameType.data) {
          bytes += payload.length;
          mostBytes = Math.max(mostBytes, bytes);
          streams.push(stream);
        } else if (type === frameType.ping && flags & flag.acknowledge) {
          isPinging = false;
          const reply = (of: number) => [
            frame(frameType.data, 0, of, Buffer.alloc(5)),
            frame(frameType.headers, flag.endHeaders | flag.endStream, of),
          ];
          socket.write(Buffer.concat([...(bytes > 0 ? [windowUpdate(bytes)] : []), ...streams.flatMap(reply)]));
          bytes = 0;
          streams = [];
        }
      }
      if (streams.length > 0 && !isPinging) {
        isPinging = true;
        socket.write(frame(frameType.ping, 0, 0, Buffer.alloc(8)));
      }
    });
  }
});
