import { ClassMetrics } from "./class-metrics.ts";
import { F1Counter } from "./f1-scores.ts";
import { type ClassForm, definedOf, type Measurement, type MetricCounter } from "./metric-counter.ts";
import { RocAucCounter } from "./roc-auc.ts";

/** How labels are measured. */
export interface LabelMetricsOptions {
  /** Outputs of a row: labels that it has or has not. */
  readonly labelCount: number;
  readonly form: ClassForm;
}

/**
 * Of targets that are 0 or 1: one output per row is the probability of the second of two classes, and measured as {@link ClassMetrics} are;
 * several are labels, measured each for itself. Of targets between 0 and 1 there are no such metrics.
 */
export class LabelMetrics implements MetricCounter {
  readonly #labels: MetricCounter;
  #isHard = true;

  constructor(options: LabelMetricsOptions) {
    this.#labels = options.labelCount === 1 ? new TwoClasses(options.form) : new SeveralLabels(options);
  }

  add(outputs: Float32Array, targets: Float32Array | Int32Array): void {
    this.#isHard &&= targets.every((target: number) => target === 0 || target === 1);
    if (this.#isHard) this.#labels.add(outputs, targets);
  }

  measured(): Measurement {
    return this.#isHard ? this.#labels.measured() : { values: {} };
  }
}

/** One probability as those of two classes. */
class TwoClasses implements MetricCounter {
  readonly #form: ClassForm;
  readonly #classes: ClassMetrics;

  constructor(form: ClassForm) {
    this.#form = form;
    this.#classes = new ClassMetrics({ classCount: 2, form });
  }

  add(outputs: Float32Array, targets: Float32Array | Int32Array): void {
    const both = new Float32Array(2 * outputs.length);
    for (let index = 0; index < outputs.length; index++) {
      both[2 * index] = this.#form === "scores" ? 0 : 1 - outputs[index];
      both[2 * index + 1] = outputs[index];
    }
    this.#classes.add(both, targets);
  }

  measured(): Measurement {
    return this.#classes.measured();
  }
}

/**
 * The share of labels that are right (1 - `sklearn.metrics.hamming_loss`), and the means over labels of F1 and of AUC. A label is given
 * where its probability is above a half.
 */
class SeveralLabels implements MetricCounter {
  readonly #options: LabelMetricsOptions;
  readonly #f1: F1Counter;
  readonly #auc: RocAucCounter;
  #count = 0;
  #right = 0;

  constructor(options: LabelMetricsOptions) {
    this.#options = options;
    this.#f1 = new F1Counter(options.labelCount);
    this.#auc = new RocAucCounter(options.labelCount);
  }

  add(outputs: Float32Array, targets: Float32Array | Int32Array): void {
    const { labelCount, form } = this.#options;
    for (let index = 0; index < outputs.length; index++) {
      const value = outputs[index];
      const label = index % labelCount;
      const isTarget = targets[index] === 1;
      const isGiven = value > (form === "scores" ? 0 : 0.5);
      this.#count++;
      if (isGiven === isTarget) this.#right++;
      this.#f1.addLabel(label, isTarget, isGiven);
      if (this.#auc.curveCount > 0)
        this.#auc.add(label, form === "scores" ? value : Math.log(value / (1 - value)), isTarget);
    }
  }

  measured(): Measurement {
    if (this.#count === 0) return { values: {} };
    const values = { accuracy: this.#right / this.#count, f1: this.#f1.overAll(), auc: this.#auc.mean() };
    return { values: definedOf(values) };
  }
}
