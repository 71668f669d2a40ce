import type { OutgoingHttpHeaders } from "node:http2";
import type { FrameWriter } from "./frame-writer.ts";
import { Taking, type WaitingBytes } from "./waiting-bytes.ts";

/** What one side of a stream still has to send, as much of it as the other has room for. */
export class OutgoingHalf {
  readonly #frames: FrameWriter;
  readonly #waiting: WaitingBytes | undefined;
  /** How the other side takes what waits. */
  readonly taking: Taking | undefined;
  readonly #queue: Buffer[] = [];
  #queuedBytes = 0;
  #windowBytes = 0;
  #isFull = false;
  #isEnding = false;
  #hasEnded = false;
  #trailers: OutgoingHttpHeaders | undefined;

  /** What it has to send counts as waiting there. */
  constructor(frames: FrameWriter, waiting: WaitingBytes | undefined) {
    this.#frames = frames;
    this.#waiting = waiting;
    if (waiting !== undefined) this.taking = new Taking();
  }

  get queuedBytes(): number {
    return this.#queuedBytes;
  }

  /** Whether there will be nothing more. */
  get isEnding(): boolean {
    return this.#isEnding;
  }

  /** Whether all is sent. */
  get hasEnded(): boolean {
    return this.#hasEnded;
  }

  /** Whether there is something that may be sent now. */
  get hasToSend(): boolean {
    if (this.#hasEnded) return false;
    return this.#queue.length > 0 ? this.#windowBytes > 0 : this.#isEnding;
  }

  /** Answers whether more are welcome. */
  push(bytes: Buffer): boolean {
    if (this.#queue.length === 0) this.taking?.wait();
    this.#queue.push(bytes);
    this.#count(bytes.length);
    this.#isFull = this.#queuedBytes > queueBytesMax;
    return !this.#isFull;
  }

  end(trailers: OutgoingHttpHeaders | undefined): void {
    this.#isEnding = true;
    this.#trailers = trailers;
  }

  /** Drops what is there; there will be nothing more. */
  drop(): void {
    this.#isEnding = true;
    this.#hasEnded = true;
    if (this.#queue.length === 0) return;
    this.#queue.length = 0;
    this.#count(-this.#queuedBytes);
  }

  /** The other side takes so much more, or less; answers how wide its window is then. */
  widen(bytes: number): number {
    this.#windowBytes += bytes;
    return this.#windowBytes;
  }

  /** Sends a frame for a stream, with at most so many bytes; answers how many. */
  sendNext(stream: number, bytesMax: number): number {
    const first = this.#queue[0];
    if (first === undefined) {
      this.#sendEnd(stream);
      return 0;
    }
    const bytes = Math.min(first.length, bytesMax, this.#windowBytes);
    const isWhole = bytes === first.length;
    if (isWhole) this.#queue.shift();
    else this.#queue[0] = first.subarray(bytes);
    this.#windowBytes -= bytes;
    this.#count(-bytes);
    this.taking?.take();
    this.#hasEnded = this.#isEnding && this.#queue.length === 0 && this.#trailers === undefined;
    this.#frames.sendData(stream, isWhole ? first : first.subarray(0, bytes), this.#hasEnded);
    return bytes;
  }

  /** Whether there is room again, the first time that there is. */
  takeDrained(): boolean {
    const isDrained = this.#isFull && this.#queuedBytes <= queueBytesMax / 2;
    if (isDrained) this.#isFull = false;
    return isDrained;
  }

  #count(bytes: number): void {
    this.#queuedBytes += bytes;
    this.#waiting?.add(bytes);
  }

  #sendEnd(stream: number): void {
    this.#hasEnded = true;
    if (this.#trailers === undefined) this.#frames.sendData(stream, nothing, true);
    else this.#frames.sendHeaders(stream, this.#trailers, true);
  }
}

const nothing = Buffer.alloc(0);

/** What is written before it is too much. */
const queueBytesMax = 64 * 1024;
