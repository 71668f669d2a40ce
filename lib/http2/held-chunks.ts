import type { WaitingBytes } from "./waiting-bytes.ts";

/** Bytes that wait for their reader, in blocks, so that many small pieces take no more room than one large one. */
export class HeldChunks {
  readonly #waiting: WaitingBytes | undefined;
  #chunks: Buffer[] = [];
  #bytes = 0;
  /** What of the last one is free. */
  #free = 0;

  /** They count as waiting there. */
  constructor(waiting: WaitingBytes | undefined) {
    this.#waiting = waiting;
  }

  get isEmpty(): boolean {
    return this.#chunks.length === 0;
  }

  /** Copies them. */
  push(bytes: Buffer): void {
    this.#count(bytes.length);
    const last = this.#chunks.at(-1);
    const joined =
      last === undefined ? 0 : bytes.copy(last, last.length - this.#free, 0, Math.min(this.#free, bytes.length));
    this.#free -= joined;
    if (joined === bytes.length) return;
    // Of what waits at most half is room that is not used yet, but for the first block.
    const roomBytes = Math.min(Math.max(blockBytesMin, this.#bytes / 2), blockBytesMax);
    const block = Buffer.allocUnsafeSlow(Math.max(Math.floor(roomBytes), bytes.length - joined));
    this.#free = block.length - bytes.copy(block, 0, joined);
    this.#chunks.push(block);
  }

  /** The first of them; undefined where there are none. */
  shift(): Buffer | undefined {
    const first = this.#chunks.shift();
    if (first === undefined) return undefined;
    const chunk = this.#chunks.length > 0 ? first : first.subarray(0, first.length - this.#free);
    if (this.#chunks.length === 0) this.#free = 0;
    this.#count(-chunk.length);
    return chunk;
  }

  /** Nobody will read them. */
  drop(): void {
    this.#chunks = [];
    this.#free = 0;
    this.#count(-this.#bytes);
  }

  #count(bytes: number): void {
    this.#bytes += bytes;
    this.#waiting?.add(bytes);
  }
}

const blockBytesMin = 16_384;
const blockBytesMax = 128 * 1024;
