/** Counts what F1 scores, 2 TP / (2 TP + FP + FN) of each class or label, are made of. */
export class F1Counter {
  readonly #right: Float64Array;
  /** How often it was the target, and how often it was given, together. */
  readonly #named: Float64Array;

  constructor(count: number) {
    this.#right = new Float64Array(count);
    this.#named = new Float64Array(count);
  }

  /** A row of the class `label` for which the class `given` was given. */
  addClass(label: number, given: number): void {
    this.#named[label]++;
    this.#named[given]++;
    if (label === given) this.#right[label]++;
  }

  /** A row that has a label or has not, and was said to have it or not. */
  addLabel(index: number, isTarget: boolean, isGiven: boolean): void {
    this.#named[index] += Number(isTarget) + Number(isGiven);
    if (isTarget && isGiven) this.#right[index]++;
  }

  /** The mean over the classes that were seen or given, as `sklearn.metrics.f1_score(average="macro")` of classes. There is at least one. */
  overSeen(): number {
    return meanOf(this.#scores().filter((_, index) => this.#named[index] > 0));
  }

  /** The mean over all labels, 0 for one that was neither seen nor given, as `f1_score(average="macro")` of indicators. */
  overAll(): number {
    return meanOf(this.#scores());
  }

  #scores(): number[] {
    return Array.from(this.#right, (right, index) => (2 * right) / (this.#named[index] || 1));
  }
}

function meanOf(values: readonly number[]): number {
  return values.reduce((sum, value) => sum + value, 0) / values.length;
}
