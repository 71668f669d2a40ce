/** How often each class was taken for each; as `sklearn.metrics.confusion_matrix`. */
export interface ConfusionMatrix {
  readonly classCount: number;
  /** Row-major [class of the target, class that was given]: numbers of rows, or of their places. */
  readonly counts: readonly number[];
}

/** With more classes none is kept. */
const classesMax = 64;

/** Counts a confusion matrix, if there are few enough classes for one. */
export class ConfusionCounter {
  readonly #classCount: number;
  readonly #counts: Float64Array | undefined;

  constructor(classCount: number) {
    this.#classCount = classCount;
    this.#counts = classCount <= classesMax ? new Float64Array(classCount * classCount) : undefined;
  }

  add(label: number, given: number): void {
    if (this.#counts !== undefined) this.#counts[label * this.#classCount + given]++;
  }

  get matrix(): ConfusionMatrix | undefined {
    return this.#counts && { classCount: this.#classCount, counts: [...this.#counts] };
  }
}
