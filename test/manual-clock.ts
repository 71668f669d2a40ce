import type { Clock } from "../lib/clock.ts";

/** A clock that stands still until `advance`; calls back in the order of time, and of asking where times are equal. */
export class ManualClock implements Clock {
  #nowMs = 0;
  #pending: { readonly dueMs: number; readonly callback: () => void }[] = [];

  now(): number {
    return this.#nowMs;
  }

  monotonicMs(): number {
    return this.#nowMs;
  }

  after(delayMs: number, callback: () => void): () => void {
    const entry = { dueMs: this.#nowMs + delayMs, callback };
    this.#pending.push(entry);
    return () => {
      this.#pending = this.#pending.filter((other) => other !== entry);
    };
  }

  /** Lets time pass; calls that callbacks ask for within it happen too. */
  advance(byMs: number): void {
    const endMs = this.#nowMs + byMs;
    for (;;) {
      const next = this.#pending.filter(({ dueMs }) => dueMs <= endMs).sort((a, b) => a.dueMs - b.dueMs)[0];
      if (next === undefined) break;
      this.#pending = this.#pending.filter((other) => other !== next);
      this.#nowMs = Math.max(this.#nowMs, next.dueMs);
      next.callback();
    }
    this.#nowMs = endMs;
  }

  /** Time passes while the process stands still: everything that falls due meanwhile comes late, at its end, after `first`. */
  stall(forMs: number, first: () => void = () => undefined): void {
    this.#nowMs += forMs;
    first();
    this.advance(0);
  }
}
