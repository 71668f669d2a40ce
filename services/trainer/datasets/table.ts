import type { TrainingData } from "../engine/training-plan.ts";

/** Columns that lie side by side: so many, and what they hold. */
export interface ColumnForm {
  readonly width: number;
  readonly dataType: "FP32" | "INT32";
}

/** Rows of numbers that arrive one by one; features and targets are kept apart. */
export class Table {
  readonly #features: Columns;
  readonly #targets: Columns;
  #rowCount = 0;

  constructor(features: ColumnForm, targets: ColumnForm) {
    this.#features = new Columns(features);
    this.#targets = new Columns(targets);
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
  finished(): TrainingData {
    return {
      rowCount: this.#rowCount,
      featureCount: this.#features.width,
      features: this.#features.shared(),
      targets: this.#targets.shared(),
    };
  }
}

/** Values of the same few columns, row by row, in memory that doubles. */
class Columns {
  readonly width: number;
  readonly #arrayType: Float32ArrayConstructor | Int32ArrayConstructor;
  #values: Float32Array | Int32Array;
  #length = 0;

  constructor({ width, dataType }: ColumnForm) {
    this.width = width;
    this.#arrayType = { FP32: Float32Array, INT32: Int32Array }[dataType];
    this.#values = new this.#arrayType(1024);
  }

  push(row: readonly number[], first: number): void {
    if (this.#length + this.width > this.#values.length) this.#grow();
    for (let i = 0; i < this.width; i++) this.#values[this.#length + i] = row[first + i];
    this.#length += this.width;
  }

  shared(): Float32Array | Int32Array {
    const memory = new SharedArrayBuffer(this.#length * this.#arrayType.BYTES_PER_ELEMENT);
    const shared = this.#values instanceof Float32Array ? new Float32Array(memory) : new Int32Array(memory);
    shared.set(this.#values.subarray(0, this.#length));
    return shared;
  }

  #grow(): void {
    const larger = new this.#arrayType(Math.max(this.#values.length * 2, this.#length + this.width));
    larger.set(this.#values.subarray(0, this.#length));
    this.#values = larger;
  }
}
