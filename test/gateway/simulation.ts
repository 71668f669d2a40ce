import type { Clock } from "../../lib/clock.ts";
import type { Random } from "../../lib/random.ts";

/** Time that passes from one event to the next, as fast as that can be computed. */
export class Simulation implements Clock {
  #nowMs = 0;
  #count = 0;
  /** A binary heap by time, and by the order of asking. */
  readonly #events: { readonly dueMs: number; readonly order: number; act: () => void }[] = [];

  now(): number {
    return this.#nowMs;
  }

  monotonicMs(): number {
    return this.#nowMs;
  }

  after(delayMs: number, act: () => void): () => void {
    const event = { dueMs: this.#nowMs + delayMs, order: this.#count++, act };
    const events = this.#events;
    let index = events.push(event) - 1;
    while (index > 0 && this.#isBefore(index, (index - 1) >> 1)) {
      this.#swap(index, (index - 1) >> 1);
      index = (index - 1) >> 1;
    }
    return () => {
      event.act = () => undefined;
    };
  }

  /** Acts again and again until a time, after times with an exponential distribution. */
  poisson(perSecond: number, untilMs: number, random: Random, act: () => void): void {
    this.after((-Math.log(1 - random.uniform()) * 1000) / perSecond, () => {
      if (this.#nowMs > untilMs) return;
      act();
      this.poisson(perSecond, untilMs, random, act);
    });
  }

  run(forMs: number): void {
    const endMs = this.#nowMs + forMs;
    while (this.#events.length > 0 && this.#events[0]!.dueMs <= endMs) {
      const { dueMs, act } = this.#take();
      this.#nowMs = dueMs;
      act();
    }
    this.#nowMs = endMs;
  }

  #take() {
    const events = this.#events;
    this.#swap(0, events.length - 1);
    const event = events.pop()!;
    for (let index = 0; ; ) {
      let least = index;
      for (const child of [2 * index + 1, 2 * index + 2]) {
        if (child < events.length && this.#isBefore(child, least)) least = child;
      }
      if (least === index) return event;
      this.#swap(index, least);
      index = least;
    }
  }

  #isBefore(one: number, other: number): boolean {
    const a = this.#events[one]!;
    const b = this.#events[other]!;
    return a.dueMs < b.dueMs || (a.dueMs === b.dueMs && a.order < b.order);
  }

  #swap(one: number, other: number): void {
    const events = this.#events;
    [events[one], events[other]] = [events[other]!, events[one]!];
  }
}

/** Cores that work on what waits before them, one call after the other. */
export class SimulatedNode {
  readonly address: string;
  readonly cores: number;
  readonly #clock: Clock;
  #busy = 0;
  readonly #waiting: (() => void)[] = [];
  /** Calls that have begun and not ended. */
  outstanding = 0;
  reconnectedMs = -Infinity;
  isReachable = true;
  /** Calls that it has got. */
  calls = 0;
  /** How long a call takes on a core, undefined where it never ends; and whether it fails. */
  behave: () => { readonly ms: number | undefined; readonly fails?: boolean };

  constructor(clock: Clock, address: string, cores: number, behave: SimulatedNode["behave"]) {
    this.#clock = clock;
    this.address = address;
    this.cores = cores;
    this.behave = behave;
  }

  /** Calls back when the call has ended, with whether it failed. */
  call(ended: (fails: boolean) => void): void {
    this.calls++;
    this.outstanding++;
    const begin = () => {
      this.#busy++;
      const { ms, fails = false } = this.behave();
      if (ms === undefined) return;
      this.#clock.after(ms, () => {
        this.#busy--;
        this.outstanding--;
        this.#waiting.shift()?.();
        ended(fails);
      });
    };
    if (this.#busy < this.cores) begin();
    else this.#waiting.push(begin);
  }

  /** Nobody waits any longer for a call that never ends. */
  drop(): void {
    this.#busy--;
    this.outstanding--;
    this.#waiting.shift()?.();
  }
}
