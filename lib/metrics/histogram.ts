/** How many values there were in which ranges. */
export interface Distribution {
  /** The upper ends of the ranges, each inside its own, ascending; what lies beyond the last has a range of its own. */
  readonly bounds: readonly number[];
  /** One per range. */
  readonly counts: ArrayLike<number>;
  readonly sum: number;
}

/** Bounds of durations, in milliseconds: from 50 µs to 10 s, two or three per decade. */
export const durationBoundsMs: readonly number[] = [
  0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 25, 50, 100, 250, 500, 1000, 2500, 5000, 10_000,
];

/** Counts values by ranges: cheap enough for the path of every request. */
export class Histogram implements Distribution {
  readonly bounds: readonly number[];
  readonly counts: Float64Array;
  #count = 0;
  #sum = 0;

  constructor(bounds: readonly number[]) {
    this.bounds = bounds;
    this.counts = new Float64Array(bounds.length + 1);
  }

  /** How many values there were. */
  get count(): number {
    return this.#count;
  }

  get sum(): number {
    return this.#sum;
  }

  add(value: number): void {
    const { bounds } = this;
    let index = 0;
    while (index < bounds.length && value > bounds[index]) index++;
    this.counts[index]++;
    this.#count++;
    this.#sum += value;
  }
}
