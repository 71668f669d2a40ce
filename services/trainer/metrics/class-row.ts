import type { ClassForm } from "./metric-counter.ts";

/** Of probabilities that are given, less counts as this, as in `sklearn.metrics.log_loss` of single precision. */
const probabilityMin = 2 ** -23;

/** What is given for one row, or for one place of it, of so many classes. One object reads row after row. */
export class ClassRow {
  readonly #form: ClassForm;
  /** In proportion to the probabilities. */
  readonly #shares: Float64Array;
  #sum = 1;
  #best = 0;
  #rank = 0;
  #surprise = 0;

  constructor(classCount: number, form: ClassForm) {
    this.#form = form;
    this.#shares = new Float64Array(classCount);
  }

  /** Takes the numbers of the classes from `at` on, of which `label` is right. */
  read(values: Float32Array, at: number, label: number): void {
    const { length } = this.#shares;
    const own = values[at + label];
    let [best, rank] = [0, 0];
    for (let index = 0; index < length; index++) {
      const value = values[at + index];
      if (value > values[at + best]) best = index;
      if (value > own || (value === own && index > label)) rank++;
    }
    const most = values[at + best];
    let sum = 0;
    for (let index = 0; index < length; index++) {
      const value = values[at + index];
      sum += this.#shares[index] = this.#form === "scores" ? Math.exp(value - most) : value;
    }
    const isScore = this.#form === "scores";
    // Probabilities are taken as they are, whatever rounding has made of their sum.
    this.#sum = isScore ? sum : 1;
    this.#best = best;
    this.#rank = rank;
    this.#surprise = isScore ? most + Math.log(sum) - own : -Math.log(Math.max(own, probabilityMin));
  }

  /** The class with the best score, the first of equal ones. */
  get best(): number {
    return this.#best;
  }

  /** How many classes come before the right one: all with a better score, and those behind it with the same. */
  get rank(): number {
    return this.#rank;
  }

  /** -log p of the right class. */
  get surprise(): number {
    return this.#surprise;
  }

  /** log(p / (1 - p)) of a class. */
  logOdds(index: number): number {
    return Math.log(this.#shares[index] / (this.#sum - this.#shares[index]));
  }
}
