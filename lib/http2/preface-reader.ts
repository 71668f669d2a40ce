import { preface } from "./frames.ts";

/** Takes off what a client begins with. */
export class PrefaceReader {
  #readBytes = 0;

  /** What follows it of these bytes; undefined where they are something else. */
  strip(bytes: Buffer): Buffer | undefined {
    if (this.#readBytes === preface.length) return bytes;
    const length = Math.min(bytes.length, preface.length - this.#readBytes);
    const isSame = bytes.compare(preface, this.#readBytes, this.#readBytes + length, 0, length) === 0;
    this.#readBytes += length;
    return isSame ? bytes.subarray(length) : undefined;
  }
}
