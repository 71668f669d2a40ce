import { ServiceError } from "../../../lib/errors.ts";

/** Takes the messages of an answer out of the bytes that gRPC frames them with, in whatever pieces these come. */
export class MessageSplitter {
  readonly #bytesMax: number;
  #chunks: Buffer[] = [];
  #length = 0;
  /** Of the message that is under way, with the bytes before it; undefined until those are there. */
  #needed: number | undefined;

  /** Of no message more than so many bytes are held. */
  constructor(bytesMax: number) {
    this.#bytesMax = bytesMax;
  }

  /** The messages that end with these bytes. Throws RESPONSE_TOO_LARGE, and UNSUPPORTED for a message that is compressed. */
  push(bytes: Buffer): readonly Buffer[] {
    this.#chunks.push(bytes);
    this.#length += bytes.length;
    const messages: Buffer[] = [];
    for (;;) {
      if (this.#needed === undefined) {
        if (this.#length < prefixBytes) return messages;
        this.#needed = this.#neededBytes(this.#joined());
      }
      if (this.#length < this.#needed) return messages;
      const joined = this.#joined();
      messages.push(joined.subarray(prefixBytes, this.#needed));
      this.#chunks = [joined.subarray(this.#needed)];
      this.#length -= this.#needed;
      this.#needed = undefined;
    }
  }

  #neededBytes(head: Buffer): number {
    const length = head.readUInt32BE(1);
    if (head[0] !== 0) throw new ServiceError("UNSUPPORTED", "the answer is compressed, which nobody has asked for");
    if (length > this.#bytesMax) {
      throw new ServiceError(
        "RESPONSE_TOO_LARGE",
        `the answer has a message of ${length} bytes; needed: at most ${this.#bytesMax}`,
      );
    }
    return prefixBytes + length;
  }

  #joined(): Buffer {
    const joined = this.#chunks.length === 1 ? this.#chunks[0]! : Buffer.concat(this.#chunks, this.#length);
    this.#chunks = [joined];
    return joined;
  }
}

/** Before each message: whether it is compressed, and its length. */
const prefixBytes = 5;
