import { product } from "../../../lib/onnx/shapes.ts";
import { suiteVersion } from "../../../lib/suite-version.ts";
import type { RowReader, RowSource } from "../datasets/row-source.ts";
import type { Checkpoints } from "./checkpoints.ts";
import { EpochRecord } from "./epoch-record.ts";
import type { Evaluation, Held } from "./evaluation.ts";
import { type Measured, nothingMeasured } from "./measured.ts";
import type { RowForms } from "./row-buffer.ts";
import type { RuntimeTensors } from "./runtime.ts";
import { learnedRowCount, rateShareAt, type Steps } from "./stepper.ts";
import type { TrainingProgress } from "./training-figures.ts";
import type { TrainingPlan } from "./training-plan.ts";
import type { TrainingState } from "./training-state.ts";
import type { Wish } from "./wish.ts";

/** What the steps of a run are taken with. */
export interface LearningParts {
  readonly plan: TrainingPlan;
  readonly rows: RowSource;
  readonly forms: RowForms;
  readonly stepper: Steps;
  readonly evaluation: Evaluation;
  /** None where nothing is kept. */
  readonly checkpoints: Checkpoints | undefined;
  /** Steps of the whole run. */
  readonly stepCount: number;
  /** Where the run goes on; the stepper stands there. */
  readonly resumed: TrainingState | undefined;
  readonly onProgress: (progress: TrainingProgress) => void;
  readonly wish: () => Wish;
}

/** The shortest time between two progress reports within an epoch. */
const progressIntervalMs = 250;

/** Takes the steps of a run, epoch by epoch, tells how it goes, and keeps its state when that is due. */
export class Learning {
  readonly record: EpochRecord;
  readonly #parts: LearningParts;
  readonly #sinceMs = performance.now();
  /** The first steps are told of at once. */
  #reportedMs = Number.NEGATIVE_INFINITY;
  /** Milliseconds that readers which are closed have waited for data. */
  #waitedMs = 0;
  #epoch: number;
  #sum: Measured;
  #reader: RowReader | undefined;

  constructor(parts: LearningParts) {
    const { plan, resumed } = parts;
    this.#parts = parts;
    this.record = new EpochRecord(plan, resumed?.history, resumed?.bestTensors);
    this.#epoch = resumed?.epoch ?? 1;
    this.#sum = resumed?.sum ?? nothingMeasured;
  }

  /**
   * Until the last epoch has ended, or one that ends the run early, or a wish to stop. Answers what came out of the last step; "stopped"
   * after a wish. Throws TRAINING_DIVERGED at the first loss that is not finite.
   */
  async run(): Promise<RuntimeTensors | "stopped"> {
    const { plan, stepper, evaluation, onProgress, checkpoints } = this.#parts;
    let results = await stepper.results();
    while (this.#epoch <= plan.epochCount && !this.record.isStale) {
      if ((await this.#learnEpoch()) === "stopped") return this.#stopped();
      results = await stepper.results();
      const held = await evaluation.measure(results);
      if (this.#parts.wish() !== "go on") return this.#stopped();
      const ended = this.#progress("epoch", held);
      this.record.add(ended, results, held?.measurement.confusion);
      onProgress(ended);
      this.#epoch++;
      this.#sum = nothingMeasured;
      const isOver = this.#epoch > plan.epochCount || this.record.isStale;
      const isDue = isOver ? checkpoints?.keepsLast : checkpoints?.isDue(stepper.stepsDone);
      if (isDue) checkpoints?.keep(await this.#state());
    }
    return results;
  }

  async #learnEpoch(): Promise<"learned" | "stopped"> {
    const { plan, rows, stepper, checkpoints, wish, onProgress } = this.#parts;
    const rowCount = learnedRowCount(plan, rows.rowCount);
    this.#reader = rows.shuffled(plan.seed, this.#epoch, this.#sum.rowCount);
    try {
      while (this.#sum.rowCount < rowCount) {
        if (wish() !== "go on") return "stopped";
        const stepsMax = checkpoints?.stepsMax(stepper.stepsDone);
        this.#sum = await stepper.advance(this.#reader, this.#epoch, this.#sum, stepsMax);
        if (this.#sum.rowCount === rowCount) break;
        if (performance.now() - this.#reportedMs >= progressIntervalMs) onProgress(this.#progress("step"));
        if (checkpoints?.isDue(stepper.stepsDone)) checkpoints.keep(await this.#state());
      }
      return "learned";
    } finally {
      this.#waitedMs += this.#reader.waitedMs;
      this.#reader.close();
      this.#reader = undefined;
    }
  }

  async #stopped(): Promise<"stopped"> {
    if (this.#parts.wish() === "keep") this.#parts.checkpoints?.keep(await this.#state());
    return "stopped";
  }

  async #state(): Promise<TrainingState> {
    const { stepper } = this.#parts;
    const tensors = Object.entries(await stepper.state()).map(
      ([name, { elements }]) => [name, elements as Float32Array] as const,
    );
    return {
      stepsDone: stepper.stepsDone,
      epoch: this.#epoch,
      sum: this.#sum,
      tensors: new Map(tensors),
      history: this.record.history,
      bestTensors: this.record.bestTensors,
      learnedMs: this.#learnedMs,
      waitedMs: this.#allWaitedMs,
      threadCount: this.#parts.plan.threadCount,
      suite: suiteVersion(),
    };
  }

  get #learnedMs(): number {
    return (this.#parts.resumed?.learnedMs ?? 0) + performance.now() - this.#sinceMs;
  }

  get #allWaitedMs(): number {
    const { resumed, evaluation } = this.#parts;
    return (resumed?.waitedMs ?? 0) + this.#waitedMs + evaluation.waitedMs + (this.#reader?.waitedMs ?? 0);
  }

  #progress(kind: TrainingProgress["kind"], held?: Held): TrainingProgress {
    this.#reportedMs = performance.now();
    const { plan, rows, forms, stepper, stepCount } = this.#parts;
    const [sum, learnedMs, { stepsDone }] = [this.#sum, this.#learnedMs, stepper];
    const rowsDone = (this.#epoch - 1) * learnedRowCount(plan, rows.rowCount) + sum.rowCount;
    // Of all places: rows may have several, each with its class.
    const share = (correctCount: number, { rowCount }: Measured) =>
      correctCount / (rowCount * product(forms.targets.rowShape));
    return {
      kind,
      epoch: this.#epoch,
      step: stepsDone,
      stepCount,
      trainingLoss: sum.lossSum / sum.rowCount,
      ...(sum.correctCount !== undefined && { trainingAccuracy: share(sum.correctCount, sum) }),
      ...(held !== undefined && { validationLoss: held.loss, metrics: held.measurement.values }),
      ...(held?.measurement.values.accuracy !== undefined && { validationAccuracy: held.measurement.values.accuracy }),
      learningRate: plan.optimizer.learningRate * rateShareAt(plan, stepsDone, stepCount),
      samplesPerSecond: rowsDone / (learnedMs / 1000),
      etaSeconds: (learnedMs / 1000) * (stepCount / stepsDone - 1),
      waitedShare: learnedMs > 0 ? Math.min(1, this.#allWaitedMs / learnedMs) : 0,
      device: plan.device ?? "cpu",
    };
  }
}
