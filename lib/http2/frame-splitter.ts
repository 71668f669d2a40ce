import { ConnectionFault, errorCode } from "./faults.ts";
import { frameHeadBytes, framePayloadBytesMax } from "./frames.ts";

/** Takes a frame. Its payload is valid during the call. */
export type TakeFrame = (type: number, flags: number, stream: number, payload: Buffer) => void;

/** Cuts what a connection receives into frames. Of one that is not whole it holds what has come, and nothing else. */
export class FrameSplitter {
  readonly #take: TakeFrame;
  /** As long as the frame where that is known, of which `#length` bytes are there. */
  #partial: Buffer | undefined;
  #length = 0;

  constructor(take: TakeFrame) {
    this.#take = take;
  }

  /** The bytes may be used again after the call. Throws a `ConnectionFault` for a frame that is too large. */
  push(bytes: Buffer): void {
    let begin = this.#partial === undefined ? 0 : this.#complete(bytes);
    while (bytes.length - begin >= frameHeadBytes) {
      const end = begin + frameBytes(bytes, begin);
      if (end > bytes.length) break;
      this.#give(bytes, begin, end);
      begin = end;
    }
    if (begin < bytes.length) this.#keep(bytes, begin);
  }

  /** Goes on with the frame that is not whole; answers how many of the bytes belong to it. */
  #complete(bytes: Buffer): number {
    let used = 0;
    while (this.#partial !== undefined && used < bytes.length) {
      const copied = bytes.copy(this.#partial, this.#length, used);
      used += copied;
      this.#length += copied;
      if (this.#length < this.#partial.length) break;
      const whole = this.#partial;
      const needed = frameBytes(whole, 0);
      if (needed > whole.length) {
        this.#partial = Buffer.allocUnsafe(needed);
        whole.copy(this.#partial);
      } else {
        this.#partial = undefined;
        this.#give(whole, 0, needed);
      }
    }
    return used;
  }

  #keep(bytes: Buffer, begin: number): void {
    const length = bytes.length - begin;
    this.#partial = Buffer.allocUnsafe(length < frameHeadBytes ? frameHeadBytes : frameBytes(bytes, begin));
    this.#length = bytes.copy(this.#partial, 0, begin);
  }

  #give(bytes: Buffer, begin: number, end: number): void {
    const stream = bytes.readUInt32BE(begin + 5) & 0x7fffffff;
    this.#take(bytes[begin + 3]!, bytes[begin + 4]!, stream, bytes.subarray(begin + frameHeadBytes, end));
  }
}

/** Of a frame whose head is there. */
function frameBytes(bytes: Buffer, begin: number): number {
  const payloadBytes = bytes.readUIntBE(begin, 3);
  if (payloadBytes <= framePayloadBytesMax) return frameHeadBytes + payloadBytes;
  throw new ConnectionFault(
    errorCode.frameSize,
    `a frame has ${payloadBytes} bytes; needed: at most ${framePayloadBytesMax}`,
  );
}
