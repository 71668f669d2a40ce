import { lengthChecked, malformedCall, prefixBytes } from "./framing.ts";

/**
 * Cuts what a call sends into messages, with the bytes before each, in memory of their own. Holds at most one that is not whole, and
 * room for not much more than has come of it.
 *
 * A message ends at a multiple of 8 bytes in memory: numbers that are the last of it can be read where they are.
 */
export class MessageReader {
  readonly #bytesMax: number;
  /** What has come of a message that is not whole, with room behind it. */
  #room: Buffer | undefined;
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

  /** Memory for it. */
  get roomBytes(): number {
    return this.#room?.length ?? 0;
  }

  /**
   * Hands on the messages that these bytes make whole; they may be used again after the call. Throws REQUEST_TOO_LARGE, and what
   * `take` throws.
   */
  read(bytes: Buffer, take: (frame: Buffer) => void): void {
    let place = 0;
    while (place < bytes.length) {
      const end = this.#length === 0 ? this.#endOf(bytes, place) : Infinity;
      if (end > bytes.length) place = this.#fill(bytes, place, take);
      else {
        const frame = roomFor(end - place);
        bytes.copy(frame, 0, place, end);
        place = end;
        take(frame);
      }
    }
  }

  /** There is nothing more. Throws REQUEST_INVALID inside of a message. */
  end(): void {
    if (this.#length > 0) throw malformedCall("ends inside of a message");
  }

  /** Infinity where the bytes before the message are not whole. */
  #endOf(bytes: Buffer, place: number): number {
    const begin = place + prefixBytes;
    return begin > bytes.length ? Infinity : begin + lengthChecked(bytes, this.#bytesMax, place);
  }

  /** Takes what there is for the message that is not whole; answers the place behind it. */
  #fill(bytes: Buffer, place: number, take: (frame: Buffer) => void): number {
    const length = Math.min(this.#needed, this.#length + bytes.length - place);
    const room = this.#roomOf(length);
    const end = place + bytes.copy(room, this.#length, place, place + length - this.#length);
    this.#length = length;
    if (length < this.#needed) return end;
    if (this.#needed === prefixBytes) {
      this.#needed += lengthChecked(room, this.#bytesMax);
      if (this.#needed > prefixBytes) return end;
    }
    this.#room = undefined;
    this.#length = 0;
    this.#needed = prefixBytes;
    take(room);
    return end;
  }

  /** With what has come, and room for so many bytes of it or more; exactly for all of them in the end. */
  #roomOf(length: number): Buffer {
    const before = this.#room;
    if (before !== undefined && before.length >= length) return before;
    const room = roomFor(Math.min(this.#needed, Math.max(roomBytesMin, roomForEachByte * length)));
    before?.copy(room, 0, 0, this.#length);
    this.#room = room;
    return room;
  }
}

function roomFor(length: number): Buffer {
  const fill = -length & (alignment - 1);
  return Buffer.allocUnsafe(fill + length).subarray(fill);
}

/** Of the largest numbers. Buffers begin at a multiple of it. */
const alignment = 8;

/** What has room at once; the rest as it comes, so that nobody is given much for the mere claim. A first frame has room for a megabyte. */
const roomBytesMin = 16 * 1024;
const roomForEachByte = 64;
