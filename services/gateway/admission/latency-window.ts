import type { Clock } from "../../../lib/clock.ts";

/** The latencies of some calls, one window after the other. */
export class LatencyWindow {
  readonly #clock: Clock;
  /** The last ones. */
  readonly #ms = new Float64Array(kept);
  #count = 0;
  #sinceMs: number;
  #lastMedianMs = 0;

  constructor(clock: Clock) {
    this.#clock = clock;
    this.#sinceMs = clock.monotonicMs();
  }

  /** The median of the last window, in milliseconds; 0 before its end. */
  get lastMedianMs(): number {
    return this.#lastMedianMs;
  }

  /** Whether there are enough calls for a median. */
  get isEnough(): boolean {
    return this.#count >= countMin;
  }

  /** Whether it also was long enough for what was changed before to show; the first one need not be. */
  get isFull(): boolean {
    if (!this.isEnough || this.#lastMedianMs === 0) return this.isEnough;
    return this.#clock.monotonicMs() - this.#sinceMs >= Math.max(msMin, this.#lastMedianMs);
  }

  note(ms: number): void {
    this.#ms[this.#count++ % kept] = ms;
  }

  /** Answers its median, in milliseconds, and begins the next one. */
  close(): number {
    const ms = this.#ms.subarray(0, Math.min(this.#count, kept)).sort();
    if (ms.length > 0) this.#lastMedianMs = ms[ms.length >> 1]!;
    this.#count = 0;
    this.#sinceMs = this.#clock.monotonicMs();
    return this.#lastMedianMs;
  }
}

const kept = 128;
const countMin = 20;
const msMin = 100;
