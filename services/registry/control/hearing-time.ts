import type { Clock } from "../../../lib/clock.ts";

/**
 * Time in which this process could hear others. Where it stands still, what they say meanwhile waits to be read: none of that time may
 * be held against them.
 */
export class HearingTime {
  readonly #clock: Clock;
  readonly #stallMs: number;
  readonly #running = new Set<Step>();
  #resumedMs = -Infinity;

  /** Whoever is called back by more than `stallMs` too late has stood still. */
  constructor(clock: Clock, stallMs: number) {
    this.#clock = clock;
    this.#stallMs = stallMs;
  }

  /**
   * Calls back once so many steps of a length have passed; the answer cancels that. A step in which the process stood still counts for
   * nothing: another one gives it the time to read what has arrived.
   */
  after(stepMs: number, stepCount: number, act: () => void): () => void {
    const step: Step = { dueMs: this.#clock.now() + stepMs };
    this.#running.add(step);
    const cancelStep = this.#clock.after(stepMs, () => {
      this.#running.delete(step);
      const isLate = this.#isLate(step);
      if (isLate) this.#resumedMs = this.#clock.now();
      const leftCount = isLate ? stepCount : stepCount - 1;
      if (leftCount === 0) act();
      else cancel = this.after(stepMs, leftCount, act);
    });
    let cancel = () => {
      this.#running.delete(step);
      cancelStep();
    };
    return () => cancel();
  }

  /** Whether the process has stood still until less than so many milliseconds ago; known only while something waits for its time. */
  hasResumedWithin(delayMs: number): boolean {
    if (this.#clock.now() - this.#resumedMs < delayMs) return true;
    // What has arrived may be read before those are called back whose time has come.
    return [...this.#running].some((step) => this.#isLate(step));
  }

  #isLate({ dueMs }: Step): boolean {
    return this.#clock.now() - dueMs > this.#stallMs;
  }
}

interface Step {
  readonly dueMs: number;
}
