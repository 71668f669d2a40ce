import type { CountedRequest, Limits } from "./limits.ts";

/**
 * The limits of one stream. Its messages are requests that wait until they are allowed: meanwhile the stream is not read, and its
 * caller cannot send. For each model that it asks, it is one of those that run at the same time, from the first message until its end.
 */
export class StreamLimits {
  readonly #limits: Limits;
  /** By model, how the stream ceases to run for it. */
  readonly #running = new Map<string, () => void>();
  #isOver = false;
  /** Of the message that waits. */
  #wake: () => void = () => undefined;

  constructor(limits: Limits) {
    this.#limits = limits;
  }

  /**
   * Counts a message in, one after the other; undefined where it need not wait. Throws or rejects as `Limits.during` does; with LIMIT_EXCEEDED where there are
   * too many at the same time, or where it has waited for long.
   */
  admit(request: CountedRequest): undefined | Promise<void> {
    const { model } = request.model;
    const attempt = this.#limits.attempt(request, !this.#running.has(model));
    if (attempt instanceof Promise || attempt.kind === "refused") return this.#admitLate(request, attempt);
    this.#noteBegun(model, attempt.release);
    return undefined;
  }

  /** No message is to wait any longer: the one that does is refused. */
  waitNoMore(): void {
    this.#isOver = true;
    this.#wake();
  }

  /** The stream has ended. */
  end(): void {
    this.waitNoMore();
    for (const release of this.#running.values()) release();
    this.#running.clear();
  }

  async #admitLate(request: CountedRequest, first: ReturnType<Limits["attempt"]>): Promise<void> {
    const { model } = request.model;
    const lastMs = this.#limits.clock.monotonicMs() + waitMsMax;
    let attempt = await first;
    while (attempt.kind === "refused") {
      const { unit, delayMs } = attempt.excess;
      const isHopeless = unit === "concurrent" || this.#limits.clock.monotonicMs() + delayMs > lastMs;
      if (isHopeless || this.#isOver) throw this.#limits.refused(request, attempt);
      await this.#sleep(delayMs);
      attempt = await this.#limits.attempt(request, !this.#running.has(model));
    }
    this.#noteBegun(model, attempt.release);
  }

  #sleep(ms: number): Promise<void> {
    return new Promise((resolve) => {
      const cancel = this.#limits.clock.after(ms, resolve);
      this.#wake = () => {
        cancel();
        resolve();
      };
    });
  }

  #noteBegun(model: string, release: () => void): void {
    if (this.#running.has(model)) return;
    if (this.#isOver) release();
    else this.#running.set(model, release);
  }
}

/** How long a message waits at most. */
const waitMsMax = 60_000;
