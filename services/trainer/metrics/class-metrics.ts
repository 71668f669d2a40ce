import { ClassRow } from "./class-row.ts";
import { ConfusionCounter } from "./confusion-matrix.ts";
import { F1Counter } from "./f1-scores.ts";
import { type ClassForm, definedOf, type Measurement, type MetricCounter } from "./metric-counter.ts";
import { RankCounter } from "./rank-counter.ts";
import { RocAucCounter } from "./roc-auc.ts";

/** How classes are measured. */
export interface ClassMetricsOptions {
  readonly classCount: number;
  readonly form: ClassForm;
  /** A label whose rows do not count. */
  readonly ignoreIndex?: number | undefined;
}

/**
 * Of targets that are class indices: accuracy, top-5 accuracy, macro F1, macro AUC of each class against the others, log loss, and the
 * confusion matrix, as scikit-learn defines them. Where a row has several places, each counts as a row.
 */
export class ClassMetrics implements MetricCounter {
  readonly #options: ClassMetricsOptions;
  readonly #row: ClassRow;
  readonly #ranks: RankCounter;
  readonly #f1: F1Counter;
  readonly #auc: RocAucCounter;
  readonly #confusion: ConfusionCounter;

  constructor(options: ClassMetricsOptions) {
    const { classCount, form } = options;
    this.#options = options;
    this.#row = new ClassRow(classCount, form);
    this.#ranks = new RankCounter(classCount);
    this.#f1 = new F1Counter(classCount);
    this.#auc = new RocAucCounter(classCount);
    this.#confusion = new ConfusionCounter(classCount);
  }

  add(outputs: Float32Array, targets: Float32Array | Int32Array): void {
    const { classCount, ignoreIndex } = this.#options;
    const row = this.#row;
    for (let index = 0; index < targets.length; index++) {
      const label = targets[index];
      if (label === ignoreIndex) continue;
      row.read(outputs, index * classCount, label);
      this.#ranks.add(row, label);
      this.#f1.addClass(label, row.best);
      this.#confusion.add(label, row.best);
      for (let other = 0; other < this.#auc.curveCount; other++) {
        this.#auc.add(other, row.logOdds(other), other === label);
      }
    }
  }

  measured(): Measurement {
    const { means } = this.#ranks;
    if (means === undefined) return { values: {} };
    const { surprise, ...shares } = means;
    const values = { ...shares, f1: this.#f1.overSeen(), auc: this.#auc.mean(), log_loss: surprise };
    return { values: definedOf(values), confusion: this.#confusion.matrix };
  }
}
