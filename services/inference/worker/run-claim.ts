/**
 * Whose a run is that a busy thread was given: the thread's, which takes it to run it, or the host's, which takes it back. Whoever is
 * first has it.
 */
export class RunClaim {
  readonly #claim: Int32Array;

  /** Over the memory of {@link newRunClaim}, which both share. */
  constructor(shared: SharedArrayBuffer) {
    this.#claim = new Int32Array(shared);
  }

  /** Answers whether the run is the caller's. Only the first call does, of both sides. */
  take(): boolean {
    return Atomics.compareExchange(this.#claim, 0, free, taken) === free;
  }
}

/** A run that was given ahead has not begun, and will not any more: it may be run elsewhere. */
export class NotBegun extends Error {
  override readonly name = "NotBegun";
}

/** The memory of a claim that nobody has taken. */
export function newRunClaim(): SharedArrayBuffer {
  return new SharedArrayBuffer(Int32Array.BYTES_PER_ELEMENT);
}

const free = 0;
const taken = 1;
