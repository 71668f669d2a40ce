import { lengthChecked, malformedCall, prefixBytes } from "./framing.ts";

/** Cuts what a call sends into messages, with the bytes before each. Holds at most one that is not whole. */
export class FrameReader {
  readonly #bytesMax: number;
  /** Of a message that is not whole. */
  #chunks: Buffer[] = [];
  #length = 0;
  /** What is needed to go on: first the bytes before the message, then all of it. */
  #needed = prefixBytes;

  constructor(bytesMax: number) {
    this.#bytesMax = bytesMax;
  }

  /** Bytes of a message that is not whole. */
  get bytes(): number {
    return this.#length;
  }

  /** The messages that these bytes make whole; nothing is copied but what came in pieces. Throws REQUEST_TOO_LARGE. */
  *read(bytes: Buffer): Generator<Buffer> {
    let start = 0;
    while (this.#length + bytes.length - start >= this.#needed) {
      const end = start + this.#needed - this.#length;
      if (this.#needed === prefixBytes) {
        this.#needed += lengthChecked(this.#joined(bytes.subarray(start, end)), this.#bytesMax);
        if (this.#needed > prefixBytes) continue;
      }
      yield this.#joined(bytes.subarray(start, end));
      start = end;
      this.#chunks = [];
      this.#length = 0;
      this.#needed = prefixBytes;
    }
    if (start === bytes.length) return;
    this.#chunks.push(bytes.subarray(start));
    this.#length += bytes.length - start;
  }

  /** There is nothing more. Throws REQUEST_INVALID inside of a message. */
  end(): void {
    if (this.#length > 0) throw malformedCall("ends inside of a message");
  }

  #joined(bytes: Buffer): Buffer {
    return this.#chunks.length === 0 ? bytes : Buffer.concat([...this.#chunks, bytes]);
  }
}
