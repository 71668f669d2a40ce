import { EventEmitter, once } from "node:events";
import { type AddressInfo, createServer, type Socket } from "node:net";
import { FrameSplitter } from "../../lib/http2/frame-splitter.ts";
import { frame, frameFlag, frameType, preface } from "../../lib/http2/frames.ts";

/** A frame that the client has sent. */
export interface SentFrame {
  readonly type: number;
  readonly flags: number;
  readonly stream: number;
  readonly payload: Buffer;
}

/** A server of HTTP/2 frames that does what a test tells it, and nothing else. Takes one connection. */
export class RawPeer {
  readonly #server = createServer((socket) => this.#take(socket));
  readonly #told = new EventEmitter();
  readonly frames: SentFrame[] = [];
  socket: Socket | undefined;
  isClosed = false;

  /** Listens; answers the port. */
  async listen(port = 0): Promise<number> {
    this.#server.listen(port, "127.0.0.1");
    await once(this.#server, "listening");
    return (this.#server.address() as AddressInfo).port;
  }

  send(...frames: readonly Uint8Array[]): void {
    this.socket!.write(Buffer.concat(frames));
  }

  /** The first frame that is like that, from now on or before. */
  async sent(isWanted: (sent: SentFrame) => boolean): Promise<SentFrame> {
    for (;;) {
      const found = this.frames.find(isWanted);
      if (found !== undefined) return found;
      await once(this.#told, "change");
    }
  }

  /** Settles once the client has closed the connection. */
  async closed(): Promise<void> {
    while (!this.isClosed) await once(this.#told, "change");
  }

  /** The port is free for others; the connection stays. */
  stopListening(): void {
    this.#server.close();
  }

  stop(): void {
    this.socket?.destroy();
    this.#server.close();
  }

  #take(socket: Socket): void {
    this.socket = socket;
    let skipped = preface.length;
    const splitter = new FrameSplitter((type, flags, stream, payload) => {
      this.frames.push({ type, flags, stream, payload: Buffer.from(payload) });
    });
    socket.on("data", (bytes) => {
      const begin = Math.min(skipped, bytes.length);
      skipped -= begin;
      splitter.push(bytes.subarray(begin));
      this.#told.emit("change");
    });
    socket.on("error", () => undefined);
    socket.on("close", () => {
      this.isClosed = true;
      this.#told.emit("change");
    });
  }
}

/** What a peer begins with. */
export const settings = frame(frameType.settings, 0, 0);

/** A question for a sign of life, or, with the flag, an answer to one. */
export function ping(flags = 0): Buffer {
  return frame(frameType.ping, flags, 0, Buffer.alloc(8));
}

/** Settings of their numbers and values. */
export function settingsOf(...entries: readonly (readonly [number, number])[]): Buffer {
  const payload = Buffer.alloc(6 * entries.length);
  for (const [place, [key, value]] of entries.entries()) {
    payload.writeUInt16BE(key, 6 * place);
    payload.writeUInt32BE(value, 6 * place + 2);
  }
  return frame(frameType.settings, 0, 0, payload);
}

/** ":status 200", as the static table has it, and more bytes of a block. */
export function headers(
  stream: number,
  flags: number = frameFlag.endHeaders,
  more: Uint8Array = Buffer.alloc(0),
): Buffer {
  return frame(frameType.headers, flags, stream, Buffer.concat([Buffer.of(0x88), more]));
}

export function data(stream: number, payload: Uint8Array, flags = 0): Buffer {
  return frame(frameType.data, flags, stream, payload);
}

/** Trailers of one header that no table has. */
export function trailers(stream: number): Buffer {
  const block = Buffer.concat([Buffer.of(0, 11), Buffer.from("grpc-status"), Buffer.of(1), Buffer.from("0")]);
  return frame(frameType.headers, frameFlag.endHeaders | frameFlag.endStream, stream, block);
}
