import type { Clock } from "../../../lib/clock.ts";

/** Keeps a reader from reading faster than so many bytes per second. */
export class Pace {
  readonly #bytesPerSecond: number;
  readonly #clock: Clock;
  /** Until when what was read may take, in milliseconds since 1970. */
  #dueMs = 0;

  constructor(bytesPerSecond: number, clock: Clock) {
    this.#bytesPerSecond = bytesPerSecond;
    this.#clock = clock;
  }

  /** Says that bytes were read; settles when more may be. Rejects with the signal's reason. */
  async spend(bytes: number, signal: AbortSignal): Promise<void> {
    const now = this.#clock.now();
    this.#dueMs = Math.max(this.#dueMs, now) + (bytes * 1000) / this.#bytesPerSecond;
    if (this.#dueMs - now < waitMsMin) return;
    signal.throwIfAborted();
    await new Promise<void>((resolve, reject) => {
      const abort = () => {
        cancel();
        reject(signal.reason);
      };
      const cancel = this.#clock.after(this.#dueMs - now, () => {
        signal.removeEventListener("abort", abort);
        resolve();
      });
      signal.addEventListener("abort", abort, { once: true });
    });
  }
}

/** Shorter waits are put together. */
const waitMsMin = 100;
