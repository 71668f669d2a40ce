import { EventEmitter, once } from "node:events";
import { connect, type Socket } from "node:net";
import { FrameSplitter } from "../../lib/http2/frame-splitter.ts";
import { frame, frameFlag, frameOfNumbers, frameType, preface } from "../../lib/http2/frames.ts";
import { HeaderEncoder } from "../../lib/http2/header-encoder.ts";
import { type SentFrame, settings } from "./raw-peer.ts";

/** A client of HTTP/2 frames that does what a test tells it, and nothing else. */
export class RawCaller {
  readonly #told = new EventEmitter();
  readonly #encoder = new HeaderEncoder();
  readonly frames: SentFrame[] = [];
  readonly socket: Socket;
  isClosed = false;

  constructor(port: number) {
    this.socket = connect(port, "127.0.0.1");
    const splitter = new FrameSplitter((type, flags, stream, payload) => {
      this.frames.push({ type, flags, stream, payload: Buffer.from(payload) });
    });
    this.socket.on("data", (bytes) => {
      splitter.push(bytes);
      this.#told.emit("change");
    });
    this.socket.on("error", () => undefined);
    this.socket.on("close", () => {
      this.isClosed = true;
      this.#told.emit("change");
    });
  }

  send(...frames: readonly Uint8Array[]): void {
    this.socket.write(Buffer.concat(frames));
  }

  /** What every client begins with. */
  greet(): void {
    this.send(preface, settings);
  }

  /** The frame that begins a call of POST /, with these headers in the place of its own. */
  call(stream: number, flags = 0, own: Readonly<Record<string, string>> = {}): Buffer {
    const head = { ":method": "POST", ":scheme": "http", ":path": "/", ...own };
    return frame(frameType.headers, frameFlag.endHeaders | flags, stream, this.#encoder.encode(head));
  }

  /** The first frame that is like that, from now on or before. */
  async sent(isWanted: (sent: SentFrame) => boolean): Promise<SentFrame> {
    for (;;) {
      const found = this.frames.find(isWanted);
      if (found !== undefined) return found;
      if (this.isClosed) throw new Error("the connection was closed before the frame came");
      await once(this.#told, "change");
    }
  }

  /** Settles once the server has closed the connection. */
  async closed(): Promise<void> {
    while (!this.isClosed) await once(this.#told, "change");
  }

  /** The code of the reset that a stream got. */
  async resetOf(stream: number): Promise<number> {
    const { payload } = await this.sent((sent) => sent.type === frameType.resetStream && sent.stream === stream);
    return payload.readUInt32BE(0);
  }

  /** Why the connection was given up. */
  async faultCode(): Promise<number> {
    const { payload } = await this.sent(({ type }) => type === frameType.goaway);
    return payload.readUInt32BE(4);
  }
}

export function resetOf(stream: number): Buffer {
  return frameOfNumbers(frameType.resetStream, 0, stream, 8);
}

/** Lets the server send so much more; 0 is the connection. */
export function widened(stream: number, bytes: number): Buffer {
  return frameOfNumbers(frameType.windowUpdate, 0, stream, bytes);
}
