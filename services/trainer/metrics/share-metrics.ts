import type { ClassForm, Measurement, MetricCounter } from "./metric-counter.ts";
import { NumberMetrics } from "./number-metrics.ts";

/** Of targets that are shares of classes: what {@link NumberMetrics} measures of the probabilities. */
export class ShareMetrics implements MetricCounter {
  readonly #classCount: number;
  readonly #form: ClassForm;
  readonly #numbers: NumberMetrics;

  /** `width` is the number of outputs of a row, which are those of `classCount` classes at one or more places. */
  constructor(width: number, classCount: number, form: ClassForm) {
    this.#classCount = classCount;
    this.#form = form;
    this.#numbers = new NumberMetrics(width);
  }

  add(outputs: Float32Array, targets: Float32Array | Int32Array): void {
    this.#numbers.add(this.#form === "scores" ? softmax(outputs, this.#classCount) : outputs, targets);
  }

  measured(): Measurement {
    return this.#numbers.measured();
  }
}

/** Over each `classCount` numbers; `exp(x - max) / sum`. */
function softmax(scores: Float32Array, classCount: number): Float32Array {
  const shares = new Float32Array(scores.length);
  for (let at = 0; at < scores.length; at += classCount) {
    const row = scores.subarray(at, at + classCount);
    const most = row.reduce((a, b) => Math.max(a, b));
    const sum = row.reduce((total, score) => total + Math.exp(score - most), 0);
    for (const [index, score] of row.entries()) shares[at + index] = Math.exp(score - most) / sum;
  }
  return shares;
}
