import { burstOf, rounding } from "./cost.ts";

/**
 * What has been taken of a rate and not come back yet: the leaky bucket as a meter, which ITU-T I.371 gives as one form of the generic
 * cell rate algorithm. It drains at the rate and holds a burst, so that in any time t no more than rate · t + burst is taken. The
 * rate is told with every call, and may be another one each time.
 */
export class Bucket {
  #level = 0;
  #drainedAtMs = 0;

  /** How long until an amount fits, in milliseconds: 0 where it does now, Infinity where it never will. */
  delayMs(amount: number, ratePerSecond: number, nowMs: number): number {
    const burst = burstOf(ratePerSecond);
    if (amount > burst) return Infinity;
    const excess = this.level(ratePerSecond, nowMs) + amount - burst;
    return excess <= burst * rounding ? 0 : (excess / ratePerSecond) * 1000;
  }

  /** Takes an amount, whether or not it fits. */
  take(amount: number, ratePerSecond: number, nowMs: number): void {
    this.#level = this.level(ratePerSecond, nowMs) + amount;
    this.#drainedAtMs = nowMs;
  }

  /** Puts back what was taken in vain. */
  giveBack(amount: number): void {
    this.#level = Math.max(0, this.#level - amount);
  }

  /** What is in it: never more than a burst of the rate, which may have fallen. */
  level(ratePerSecond: number, nowMs: number): number {
    const drained = ((nowMs - this.#drainedAtMs) / 1000) * ratePerSecond;
    return Math.min(Math.max(0, this.#level - drained), burstOf(ratePerSecond));
  }
}
