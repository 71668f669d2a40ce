import type { TrainingData } from "../engine/training-plan.ts";

/** Rows of numbers that arrive one by one; features and targets are kept apart, as FP32. */
export class Table {
  readonly #features: Column;
  readonly #targets: Column;
  #rowCount = 0;

  constructor(featureCount: number, targetCount: number) {
    this.#features = new Column(featureCount);
    this.#targets = new Column(targetCount);
  }

  get rowCount(): number {
    return this.#rowCount;
  }

  /** Features first, then targets. */
  add(row: readonly number[]): void {
    this.#features.push(row, 0);
    this.#targets.push(row, this.#features.width);
    this.#rowCount++;
  }

  /** Everything that was added; the arrays are shared memory, so that a training thread needs no copy. */
  finished(): TrainingData & { readonly targets: Float32Array } {
    return {
      rowCount: this.#rowCount,
      featureCount: this.#features.width,
      features: this.#features.shared(),
      targets: this.#targets.shared(),
    };
  }

  /** The first target of every row as an integer, exact up to 2^24; shared memory. */
  classes(): Int32Array {
    const classes = new Int32Array(new SharedArrayBuffer(this.#rowCount * Int32Array.BYTES_PER_ELEMENT));
    for (let row = 0; row < classes.length; row++) classes[row] = this.#targets.at(row * this.#targets.width);
    return classes;
  }
}

/** Values of the same few columns, row by row, in memory that doubles. */
class Column {
  readonly width: number;
  #values = new Float32Array(1024);
  #length = 0;

  constructor(width: number) {
    this.width = width;
  }

  push(row: readonly number[], first: number): void {
    if (this.#length + this.width > this.#values.length) this.#grow();
    for (let i = 0; i < this.width; i++) this.#values[this.#length + i] = row[first + i];
    this.#length += this.width;
  }

  at(index: number): number {
    return this.#values[index];
  }

  shared(): Float32Array<SharedArrayBuffer> {
    const shared = new Float32Array(new SharedArrayBuffer(this.#length * Float32Array.BYTES_PER_ELEMENT));
    shared.set(this.#values.subarray(0, this.#length));
    return shared;
  }

  #grow(): void {
    const larger = new Float32Array(Math.max(this.#values.length * 2, this.#length + this.width));
    larger.set(this.#values.subarray(0, this.#length));
    this.#values = larger;
  }
}
