import type { Clock } from "../../../lib/clock.ts";

/**
 * How many calls may be sent more than once, so that retries never multiply the load of nodes that are in trouble: a share of the
 * calls, and a few per second where there are few calls. A token bucket, as Finagle has it
 * (https://twitter.github.io/finagle/guide/Clients.html#retries).
 */
export class RetryBudget {
  readonly #clock: Clock;
  readonly #share: number;
  #tokens: number;
  #lastMs: number;

  /** `share` of the calls, from 0 to 1. */
  constructor(share: number, clock: Clock) {
    this.#share = share;
    this.#clock = clock;
    this.#tokens = perSecondMin;
    this.#lastMs = clock.monotonicMs();
  }

  /** A call was sent for the first time. */
  noteCall(): void {
    this.#tokens = Math.min(this.#tokens + this.#share, tokensMax);
  }

  /** Takes the right to send one once more; answers whether there was one. */
  take(): boolean {
    const nowMs = this.#clock.monotonicMs();
    const earned = this.#share === 0 ? 0 : ((nowMs - this.#lastMs) / 1000) * perSecondMin;
    this.#lastMs = nowMs;
    // What time gives is for those who call seldom: it never piles up.
    if (this.#tokens < perSecondMin) this.#tokens = Math.min(this.#tokens + earned, perSecondMin);
    if (this.#share === 0 || this.#tokens < 1) return false;
    this.#tokens--;
    return true;
  }
}

/** Calls per second that may be sent again however few there are. */
const perSecondMin = 10;
/** What may be saved for a burst: the loss of a node with many calls under way. */
const tokensMax = 1000;
