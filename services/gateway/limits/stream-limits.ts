import type { Clock } from "../../../lib/clock.ts";
import type { CountedRequest, Limits } from "./limits.ts";

/**
 * The limits of one stream. Its messages are requests that wait until they are allowed: meanwhile the stream is not read, and its
 * caller cannot send. For each model that it asks, it is one of those that run at the same time, from the first message until its end.
 */
export class StreamLimits {
  readonly #limits: Limits;
  readonly #clock: Clock;
  /** By model, how the stream ceases to run for it. */
  readonly #running = new Map<string, () => void>();
  #isOver = false;

  constructor(limits: Limits, clock: Clock) {
    this.#limits = limits;
    this.#clock = clock;
  }

  /**
   * Counts a message in; undefined where it need not wait. Throws or rejects as `Limits.during` does; with LIMIT_EXCEEDED where there are
   * too many at the same time, or where it has waited for long.
   */
  admit(request: CountedRequest): undefined | Promise<void> {
    const { model } = request.model;
    const attempt = this.#limits.attempt(request, !this.#running.has(model));
    if (attempt instanceof Promise || attempt.kind === "refused") return this.#admitLate(request, attempt);
    this.#noteBegun(model, attempt.release);
    return undefined;
  }

  /** The stream has ended. */
  end(): void {
    this.#isOver = true;
    for (const release of this.#running.values()) release();
    this.#running.clear();
  }

  async #admitLate(request: CountedRequest, first: ReturnType<Limits["attempt"]>): Promise<void> {
    const { model } = request.model;
    const lastMs = this.#clock.monotonicMs() + waitMsMax;
    let attempt = await first;
    while (attempt.kind === "refused") {
      const { unit, delayMs } = attempt.excess;
      const isHopeless = unit === "concurrent" || this.#clock.monotonicMs() + delayMs > lastMs;
      if (isHopeless || this.#isOver) throw this.#limits.refused(request, attempt);
      await new Promise<void>((resolve) => this.#clock.after(delayMs, resolve));
      attempt = await this.#limits.attempt(request, !this.#running.has(model));
    }
    this.#noteBegun(model, attempt.release);
  }

  #noteBegun(model: string, release: () => void): void {
    if (this.#running.has(model)) return;
    if (this.#isOver) release();
    else this.#running.set(model, release);
  }
}

/** How long a message waits at most. */
const waitMsMax = 60_000;
