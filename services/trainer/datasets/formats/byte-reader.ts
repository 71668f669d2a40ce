import { datasetError } from "./dataset-error.ts";

/** Reads a stream of chunks in pieces of exact lengths. */
export class ByteReader {
  readonly #name: string;
  readonly #chunks: AsyncIterator<Uint8Array>;
  #rest: Uint8Array = new Uint8Array();

  /** `name` is what messages call the stream, such as "the array x". */
  constructor(chunks: AsyncIterable<Uint8Array>, name: string) {
    this.#chunks = chunks[Symbol.asyncIterator]();
    this.#name = name;
  }

  /** The next bytes, in memory of their own; throws DATASET_INVALID where there are fewer. */
  async read(length: number): Promise<Uint8Array> {
    const bytes = new Uint8Array(length);
    for (let filled = 0; filled < length; ) {
      if (this.#rest.length === 0) {
        const { value, done } = await this.#chunks.next();
        if (done) throw datasetError(`${this.#name} ends ${length - filled} bytes too early`);
        this.#rest = value;
      }
      const taken = this.#rest.subarray(0, length - filled);
      bytes.set(taken, filled);
      filled += taken.length;
      this.#rest = this.#rest.subarray(taken.length);
    }
    return bytes;
  }

  /** Checks that nothing more comes; only then are an archive's checksums known to be right. */
  async end(): Promise<void> {
    const isOver = this.#rest.length === 0 && (await this.#chunks.next()).done;
    if (!isOver) throw datasetError(`${this.#name} goes on behind its end`);
  }

  /** Ends the stream before its end. */
  async close(): Promise<void> {
    await this.#chunks.return?.();
  }
}
