import { datasetError } from "../formats/dataset-error.ts";
import type { ColumnValues } from "./column-source.ts";

/** Something that is gathered from the values of a column, row by row, in an order that decides its last bits. */
export interface ColumnFacts {
  /** A row's value, which is not missing. */
  add(values: ColumnValues, row: number): void;
}

/** Mean, deviation and range of each of a column's elements, in double precision (Welford 1962). */
export class Moments implements ColumnFacts {
  readonly mean: Float64Array;
  readonly min: Float64Array;
  readonly max: Float64Array;
  readonly #squares: Float64Array;
  #count = 0;

  constructor(width: number) {
    this.mean = new Float64Array(width);
    this.#squares = new Float64Array(width);
    this.min = new Float64Array(width).fill(Infinity);
    this.max = new Float64Array(width).fill(-Infinity);
  }

  add(values: ColumnValues, row: number): void {
    this.#count++;
    const { mean, min, max } = this;
    const width = mean.length;
    for (let index = 0; index < width; index++) {
      const value = Math.fround(values[row * width + index] as number);
      const before = value - mean[index]!;
      mean[index]! += before / this.#count;
      this.#squares[index]! += before * (value - mean[index]!);
      if (value < min[index]!) min[index] = value;
      if (value > max[index]!) max[index] = value;
    }
  }

  /** Of the population. */
  get deviation(): Float64Array {
    return this.#squares.map((squares) => Math.sqrt(squares / this.#count));
  }
}

/** The number in the middle. */
export class Median implements ColumnFacts {
  #values = new Float32Array(1024);
  #count = 0;

  add(values: ColumnValues, row: number): void {
    if (this.#count === this.#values.length) {
      const larger = new Float32Array(this.#count * 2);
      larger.set(this.#values);
      this.#values = larger;
    }
    this.#values[this.#count++] = values[row] as number;
  }

  /** The mean of the two in the middle, of an even count. */
  get value(): number {
    const sorted = this.#values.subarray(0, this.#count).sort();
    const upper = Math.floor(this.#count / 2);
    return this.#count % 2 === 1 ? sorted[upper]! : (sorted[upper - 1]! + sorted[upper]!) / 2;
  }
}

/** How often each value is there; numbers as FP32 has them. */
export class Counts implements ColumnFacts {
  readonly #counts = new Map<number | string, number>();
  readonly #refuse: () => Error;
  readonly #countMax: number;

  /** With more than `countMax` different values it throws what `refuse` gives. */
  constructor(countMax: number, refuse: () => Error) {
    this.#countMax = countMax;
    this.#refuse = refuse;
  }

  add(values: ColumnValues, row: number): void {
    const value = values[row]!;
    const key = typeof value === "number" ? Math.fround(value) : value;
    const count = this.#counts.get(key) ?? 0;
    if (count === 0 && this.#counts.size === this.#countMax) throw this.#refuse();
    this.#counts.set(key, count + 1);
  }

  /** All values, ascending. */
  get values(): readonly (number | string)[] {
    return [...this.#counts.keys()].sort(ascending);
  }

  /** Of equally frequent ones the least. */
  get mostFrequent(): number | string {
    const [first] = [...this.#counts].sort(([a, countOfA], [b, countOfB]) => countOfB - countOfA || ascending(a, b));
    return first![0];
  }
}

/** Numbers by size, texts by their code units: the same order on every machine. */
export function ascending(a: number | string, b: number | string): number {
  return a < b ? -1 : a > b ? 1 : 0;
}

/** A refusal of a column with more categories than it may have. */
export function tooManyCategories(name: string, countMax: number, field: string): Error {
  return datasetError(
    `the column ${JSON.stringify(name)} has more than ${countMax} different values in the training rows; needed: at most ${countMax}, ${field}`,
  );
}
