import type { Loss } from "../graph/losses/loss.ts";
import { specError } from "../graph/spec-error.ts";
import type { ConfusionMatrix } from "../metrics/confusion-matrix.ts";
import { measuredBy } from "../metrics/counter-of.ts";
import { type MetricName, metricNames } from "../metrics/metric-counter.ts";
import type { RuntimeTensors } from "./runtime.ts";
import type { TrainingProgress } from "./training-figures.ts";

/** When a training ends before its last epoch. */
export interface EarlyStopping {
  /** What is to become better: "validation_loss", or "validation_" and a metric of the loss. */
  readonly metric: string;
  /** Epochs without a better one after which it ends, at least 1. */
  readonly patienceEpochs: number;
  /** By how much an epoch must be better to count, at least 0. */
  readonly leastChange: number;
}

/** Throws SPEC_INVALID for a metric that the loss has not, or a number out of its range. */
export function checkEarlyStopping({ metric, patienceEpochs, leastChange }: EarlyStopping, loss: Loss): void {
  const known = [byDefault, ...measuredBy(loss).map((name) => `${prefix}${name}`)];
  if (!known.includes(metric)) throw specError("early_stopping.metric", metric, `one of ${known.join(", ")}`);
  if (!Number.isSafeInteger(patienceEpochs) || patienceEpochs < 1) {
    throw specError("early_stopping.patience_epochs", patienceEpochs, "a whole number of at least 1");
  }
  if (!(leastChange >= 0 && leastChange < Number.POSITIVE_INFINITY)) {
    throw specError("early_stopping.least_change", leastChange, "a finite number of at least 0");
  }
}

/** How epochs are judged; by the validation loss where nothing ends the training early. */
export interface EpochJudgement {
  readonly earlyStopping?: EarlyStopping | undefined;
  /** Whether the tensors of the best epoch are kept. */
  readonly keepBest?: boolean | undefined;
}

/** What an {@link EpochRecord} knows: plain data. */
export interface EpochHistory {
  /** One epoch in so many is kept, and each of the others forgotten. */
  readonly stride: number;
  readonly epochs: readonly TrainingProgress[];
  readonly last?: TrainingProgress;
  readonly best?: TrainingProgress;
  /** The last epoch that counted as better. */
  readonly counted?: TrainingProgress;
  /** Of the epoch that is chosen. */
  readonly confusion?: ConfusionMatrix | undefined;
}

/** The epochs of a training: what each measured, which was the best, and whether more of them are worth while. */
export class EpochRecord {
  readonly #judgement: EpochJudgement;
  #history: EpochHistory = { stride: 1, epochs: [] };
  #bestTensors: ReadonlyMap<string, Float32Array> = new Map();

  /** Goes on from where another one stood. */
  constructor(judgement: EpochJudgement, history?: EpochHistory, bestTensors?: ReadonlyMap<string, Float32Array>) {
    this.#judgement = judgement;
    if (history !== undefined) this.#history = history;
    if (bestTensors !== undefined) this.#bestTensors = bestTensors;
  }

  /** Adds an epoch that has ended and the tensors that came out of it, which are copied if they are to be kept. */
  add(epoch: TrainingProgress, results: RuntimeTensors, confusion?: ConfusionMatrix): void {
    const { best, counted } = this.#history;
    const { keepBest, earlyStopping } = this.#judgement;
    const isBest = this.#isBetter(epoch, best, 0);
    if (isBest && keepBest) {
      this.#bestTensors = new Map(
        Object.entries(results).map(([name, { elements }]) => [name, Float32Array.from(elements)] as const),
      );
    }
    this.#history = {
      ...thinned(this.#history, epoch),
      last: epoch,
      best: isBest ? epoch : best,
      counted: this.#isBetter(epoch, counted, earlyStopping?.leastChange ?? 0) ? epoch : counted,
      confusion: isBest || best === undefined || !keepBest ? confusion : this.#history.confusion,
    };
  }

  get history(): EpochHistory {
    return this.#history;
  }

  /** The tensors of the best epoch, where they are kept. */
  get bestTensors(): ReadonlyMap<string, Float32Array> {
    return this.#bestTensors;
  }

  /** The epoch whose tensors come out of the training: the last, or the best where that is kept. */
  get chosen(): TrainingProgress | undefined {
    return this.#judgement.keepBest ? (this.#history.best ?? this.#history.last) : this.#history.last;
  }

  /** Whether there were too many epochs without a better one. */
  get isStale(): boolean {
    const { earlyStopping } = this.#judgement;
    const { last, counted } = this.#history;
    if (earlyStopping === undefined || last === undefined) return false;
    return last.epoch - (counted?.epoch ?? 0) >= earlyStopping.patienceEpochs;
  }

  #isBetter(epoch: TrainingProgress, than: TrainingProgress | undefined, leastChange: number): boolean {
    const metric = this.#judgement.earlyStopping?.metric ?? byDefault;
    const value = measured(epoch, metric);
    if (value === undefined || Number.isNaN(value)) return false;
    const before = than && measured(than, metric);
    return before === undefined || signOf(metric) * (value - before) > leastChange;
  }
}

const prefix = "validation_";
const byDefault = `${prefix}loss`;

function measured({ validationLoss, metrics }: TrainingProgress, metric: string): number | undefined {
  return metric === byDefault ? validationLoss : metrics?.[nameOf(metric)];
}

/** 1 where more is better, -1 where less is. */
function signOf(metric: string): 1 | -1 {
  return metric !== byDefault && metricNames[nameOf(metric)] === "more" ? 1 : -1;
}

function nameOf(metric: string): MetricName {
  return metric.slice(prefix.length) as MetricName;
}

/** With one more epoch, and with half as many where they would become too many. */
function thinned({ stride, epochs }: EpochHistory, epoch: TrainingProgress): Pick<EpochHistory, "stride" | "epochs"> {
  if ((epoch.epoch - 1) % stride !== 0) return { stride, epochs };
  const all = [...epochs, epoch];
  if (all.length <= epochsKeptMax) return { stride, epochs: all };
  return { stride: 2 * stride, epochs: all.filter((each) => (each.epoch - 1) % (2 * stride) === 0) };
}

/** Epochs that are kept, at most. */
const epochsKeptMax = 512;
