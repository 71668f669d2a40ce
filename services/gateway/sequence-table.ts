import type { Clock } from "../../lib/clock.ts";

/** Where a sequence goes on. */
export interface SequencePlace {
  readonly version: number;
  /** The address of the node that has its state. */
  readonly node: string;
}

/** Bounds of the sequences that are remembered. */
export interface SequenceTableBounds {
  readonly sequencesMax: number;
  /** How long one is remembered after its last request. */
  readonly idleMs: number;
}

/** Remembers where sequences go on; where there are too many, those whose last request is the longest ago are forgotten. */
export class SequenceTable {
  readonly #bounds: SequenceTableBounds;
  readonly #clock: Clock;
  /** In the order of their last requests. */
  readonly #places = new Map<string, Remembered>();
  /** Goes on from the oldest: a new walk would first step over the traces of all that were moved to the end. */
  readonly #walk = this.#places.entries();
  #oldest: readonly [key: string, remembered: Remembered] | undefined;

  constructor(bounds: SequenceTableBounds, clock: Clock) {
    this.#bounds = bounds;
    this.#clock = clock;
  }

  /** Sequences that are remembered. */
  get size(): number {
    return this.#places.size;
  }

  get(key: string): SequencePlace | undefined {
    const known = this.#places.get(key);
    return known !== undefined && known.untilMs > this.#clock.now() ? known.place : undefined;
  }

  /** Remembers the place of a sequence that has a request now. */
  set(key: string, place: SequencePlace): void {
    const nowMs = this.#clock.now();
    this.#places.delete(key);
    this.#places.set(key, { place, untilMs: nowMs + this.#bounds.idleMs });
    for (;;) {
      const [oldest, { untilMs }] = this.#oldestPlace();
      if (untilMs > nowMs && this.#places.size <= this.#bounds.sequencesMax) return;
      this.#places.delete(oldest);
    }
  }

  delete(key: string): void {
    this.#places.delete(key);
  }

  /** There is at least one. */
  #oldestPlace(): readonly [key: string, remembered: Remembered] {
    while (this.#oldest === undefined || this.#places.get(this.#oldest[0]) !== this.#oldest[1]) {
      this.#oldest = this.#walk.next().value!;
    }
    return this.#oldest;
  }
}

interface Remembered {
  readonly place: SequencePlace;
  readonly untilMs: number;
}
