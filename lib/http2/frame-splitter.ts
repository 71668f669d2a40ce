import { ConnectionFault, errorCode } from "./faults.ts";
import { frameFlag, frameHeadBytes, framePayloadBytesMax, frameType } from "./frames.ts";

/** Takes a frame, or a part of one with data. Its payload is valid during the call. */
export type TakeFrame = (type: number, flags: number, stream: number, payload: Buffer) => void;

/**
 * Cuts what a connection receives into frames. Data is given as it comes, as if its parts were frames of their own, so that nobody has
 * to copy it here; of another frame that is not whole it holds what has come, and nothing else.
 */
export class FrameSplitter {
  readonly #take: TakeFrame;
  /** As long as the frame where that is known, of which `#length` bytes are there. */
  #partial: Buffer | undefined;
  #length = 0;
  /** Of a frame with data, what is still to come. */
  #dataBytes = 0;
  #dataFlags = 0;
  #dataStream = 0;

  constructor(take: TakeFrame) {
    this.#take = take;
  }

  /** The bytes may be used again after the call. Throws a `ConnectionFault` for a frame that is too large. */
  push(bytes: Buffer): void {
    let begin = this.#partial === undefined ? 0 : this.#complete(bytes);
    begin = this.#giveData(bytes, begin);
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
      if (this.#length === this.#partial.length) this.#go(this.#partial);
    }
    return used;
  }

  /** Goes on where all of it is there that was waited for. */
  #go(known: Buffer): void {
    const needed = frameBytes(known, 0);
    this.#partial = undefined;
    if (needed === known.length) this.#give(known, 0, needed);
    else if (isGivenInParts(known, 0)) this.#beginData(known, 0);
    else {
      this.#partial = Buffer.allocUnsafe(needed);
      known.copy(this.#partial);
    }
  }

  #keep(bytes: Buffer, begin: number): void {
    const length = bytes.length - begin;
    if (length >= frameHeadBytes && isGivenInParts(bytes, begin)) {
      this.#beginData(bytes, begin);
      this.#giveData(bytes, begin + frameHeadBytes);
      return;
    }
    this.#partial = Buffer.allocUnsafe(length < frameHeadBytes ? frameHeadBytes : frameBytes(bytes, begin));
    this.#length = bytes.copy(this.#partial, 0, begin);
  }

  #beginData(bytes: Buffer, begin: number): void {
    this.#dataBytes = frameBytes(bytes, begin) - frameHeadBytes;
    this.#dataFlags = bytes[begin + 4]!;
    this.#dataStream = streamOf(bytes, begin);
  }

  /** What of the bytes from there on belongs to the data that is not whole; answers where that ends. */
  #giveData(bytes: Buffer, begin: number): number {
    const length = Math.min(this.#dataBytes, bytes.length - begin);
    if (length === 0) return begin;
    this.#dataBytes -= length;
    const flags = this.#dataBytes === 0 ? this.#dataFlags : this.#dataFlags & ~frameFlag.endStream;
    this.#take(frameType.data, flags, this.#dataStream, bytes.subarray(begin, begin + length));
    return begin + length;
  }

  #give(bytes: Buffer, begin: number, end: number): void {
    const payload = bytes.subarray(begin + frameHeadBytes, end);
    this.#take(bytes[begin + 3]!, bytes[begin + 4]!, streamOf(bytes, begin), payload);
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

/** Whether it has data and nothing that fills it up. */
function isGivenInParts(bytes: Buffer, begin: number): boolean {
  return bytes[begin + 3] === frameType.data && (bytes[begin + 4]! & frameFlag.padded) === 0;
}

function streamOf(bytes: Buffer, begin: number): number {
  return bytes.readUInt32BE(begin + 5) & 0x7fffffff;
}
