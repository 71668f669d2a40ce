/** Bytes that wait for their reader, in blocks, so that many small pieces take no more room than one large one. */
export class HeldChunks {
  readonly #chunks: Buffer[] = [];
  /** What of the last one is free. */
  #free = 0;

  get isEmpty(): boolean {
    return this.#chunks.length === 0;
  }

  /** Copies them. */
  push(bytes: Buffer): void {
    const last = this.#chunks.at(-1);
    const joined =
      last === undefined ? 0 : bytes.copy(last, last.length - this.#free, 0, Math.min(this.#free, bytes.length));
    this.#free -= joined;
    if (joined === bytes.length) return;
    const block = Buffer.allocUnsafeSlow(Math.max(blockBytes, bytes.length - joined));
    this.#free = block.length - bytes.copy(block, 0, joined);
    this.#chunks.push(block);
  }

  /** The first of them; undefined where there are none. */
  shift(): Buffer | undefined {
    const chunk = this.#chunks.shift();
    if (chunk === undefined || this.#chunks.length > 0) return chunk;
    const used = chunk.subarray(0, chunk.length - this.#free);
    this.#free = 0;
    return used;
  }
}

const blockBytes = 16_384;
