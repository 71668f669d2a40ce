/** Counts the bytes that wait for others to take them, in streams of any number of connections and elsewhere, and says when they are too many. */
export class WaitingBytes {
  readonly #bytesMax: number;
  readonly #onExcess: () => void;
  #bytes = 0;

  /** `onExcess` is called whenever more come than there may be; it must not let go of any at once. */
  constructor(bytesMax: number, onExcess: () => void) {
    this.#bytesMax = bytesMax;
    this.#onExcess = onExcess;
  }

  get bytes(): number {
    return this.#bytes;
  }

  /** So many more wait, or less. */
  add(bytes: number): void {
    this.#bytes += bytes;
    if (bytes > 0 && this.#bytes > this.#bytesMax) this.#onExcess();
  }
}

/** How something that waits is taken. */
export class Taking {
  #lastMs = performance.now();
  #hasBegun = false;

  /** `performance.now()` when some was last taken, or when it began to wait. */
  get lastMs(): number {
    return this.#lastMs;
  }

  /** Whether any was taken since it began to wait. */
  get hasBegun(): boolean {
    return this.#hasBegun;
  }

  /** It begins to wait. */
  wait(): void {
    this.#lastMs = performance.now();
    this.#hasBegun = false;
  }

  /** Some was taken. */
  take(): void {
    this.#lastMs = performance.now();
    this.#hasBegun = true;
  }
}
