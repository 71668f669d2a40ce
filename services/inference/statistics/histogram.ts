/** Counts values by ranges, in arrays of its own: cheap to add to, read as often as anybody asks. */
export class Histogram {
  /** The upper ends of the ranges, ascending; what lies beyond the last has a range of its own. */
  readonly bounds: readonly number[];
  readonly #counts: Float64Array;
  #count = 0;
  #sum = 0;

  constructor(bounds: readonly number[]) {
    this.bounds = bounds;
    this.#counts = new Float64Array(bounds.length + 1);
  }

  /** How many values there were. */
  get count(): number {
    return this.#count;
  }

  get sum(): number {
    return this.#sum;
  }

  /** How many values were in each range; the last is that beyond all bounds. */
  get counts(): readonly number[] {
    return [...this.#counts];
  }

  add(value: number): void {
    const { bounds } = this;
    let index = 0;
    while (index < bounds.length && value > bounds[index]) index++;
    this.#counts[index]++;
    this.#count++;
    this.#sum += value;
  }
}
