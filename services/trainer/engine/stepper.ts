import { ServiceError } from "../../../lib/errors.ts";
import { product } from "../../../lib/onnx/shapes.ts";
import type { RowReader, RowSource } from "../datasets/row-source.ts";
import { moveScalars } from "../graph/moves.ts";
import { rateShare } from "../graph/schedule.ts";
import type { StateTensor, TrainingTensors } from "../graph/training-tensors.ts";
import { needsFixedSizes } from "./device.ts";
import { type Measured, withBatches } from "./measured.ts";
import { RowBuffer, type RowForms } from "./row-buffer.ts";
import { CarriedTensors, type RuntimeTensors } from "./runtime.ts";
import type { Sessions } from "./sessions.ts";
import type { TrainingPlan } from "./training-plan.ts";

/**
 * How long one call of the runtime should take, in milliseconds: it can be neither watched nor stopped meanwhile. The runtime copies all that
 * moves at each call, about a nanosecond for a byte; where there is much of it, calls take longer, as long as a job that is paused has the time
 * to keep its state.
 */
const callTargetMs = { least: 400, most: 600, perStateByte: 2e-5 } as const;

/** Features of one call, at most, in bytes; a single batch may be larger. */
const callBytesMax = 32 * 2 ** 20;

/** What a stepper is made of. */
export interface StepperParts {
  readonly tensors: TrainingTensors;
  readonly plan: TrainingPlan;
  /** The rows that it will learn from. */
  readonly rows: Pick<RowSource, "rowCount" | "featureCount">;
  readonly forms: RowForms;
  /** The first elements of each parameter and statistic; they are only read. */
  readonly first: ReadonlyMap<string, Float32Array>;
  /** Steps of the whole run. */
  readonly stepCount: number;
  /** Where it goes on: what {@link Steps.state} gave after so many steps. */
  readonly resumed?: { readonly stepsDone: number; readonly tensors: ReadonlyMap<string, Float32Array> } | undefined;
}

/** Holds all that moves, and takes the steps of a training. */
export interface Steps {
  /** Steps taken since the beginning of the run. */
  readonly stepsDone: number;
  /**
   * Learns from the next batches of an epoch, and adds what they measured to the sum of those before. How many depends on how long they
   * take, and is at most `stepsMax`, but the weights that come out do not. Throws TRAINING_DIVERGED where a batch's loss is not finite.
   */
  advance(reader: RowReader, epoch: number, sum: Measured, stepsMax?: number): Promise<Measured>;
  /** All that moves, by name, as it is now; overwritten by the step after the next. */
  state(): Promise<RuntimeTensors>;
  /** The parameters as they are now, or their averages, and the statistics; what is read is overwritten by the step after the next. */
  results(): Promise<RuntimeTensors>;
  /** Frees what it holds outside of this thread's memory. */
  release(): Promise<void>;
}

/** Takes as many steps per call of the runtime as time allows, in a Loop inside the graph. */
export class Stepper implements Steps {
  readonly #parts: StepperParts;
  readonly #sessions: Sessions;
  readonly #buffer: RowBuffer;
  readonly #callStepsMax: number;
  readonly #callMs: number;
  readonly #frozen: RuntimeTensors;
  readonly #state: CarriedTensors;
  #stepsDone: number;
  #callSteps = 1;

  /** The sessions are those of the training graph. */
  constructor(parts: StepperParts, sessions: Sessions) {
    const { tensors, plan, rows, forms, resumed } = parts;
    this.#parts = parts;
    this.#sessions = sessions;
    this.#stepsDone = resumed?.stepsDone ?? 0;
    this.#callStepsMax = callStepsMax(plan, rows);
    this.#callMs = callMs(tensors);
    this.#buffer = new RowBuffer(forms, this.#callStepsMax * plan.batchRows);
    this.#state = new CarriedTensors(begunTensors(parts, tensors.state));
    this.#frozen = begunTensors(parts, tensors.frozen);
  }

  get stepsDone(): number {
    return this.#stepsDone;
  }

  async advance(
    reader: RowReader,
    epoch: number,
    sum: Measured,
    stepsMax = Number.POSITIVE_INFINITY,
  ): Promise<Measured> {
    const { plan, rows } = this.#parts;
    const rowsLeft = learnedRowCount(plan, rows.rowCount) - sum.rowCount;
    const wholeBatches = Math.floor(rowsLeft / plan.batchRows);
    const steps = Math.max(1, Math.min(wholeBatches, this.#callSteps, stepsMax));
    const rowsPerStep = wholeBatches === 0 ? rowsLeft : plan.batchRows;
    const sizes = [steps, ...this.#sizesOf(rowsPerStep)];
    const batches = this.#buffer.read(reader, sizes);
    const session = await this.#sessions.of(sizes);
    const startedMs = performance.now();
    const before = { dataType: "INT32", shape: [], elements: Int32Array.of(this.#stepsDone) } as const;
    const numbers = { steps_before: before, ...this.#scalars(steps) };
    const outputs = await session.run({ ...batches, ...numbers, ...this.#frozen }, this.#state);
    this.#callSteps = this.#nextCallSteps((performance.now() - startedMs) / steps);
    const losses = outputs.loss.elements;
    checkLosses(losses, this.#stepsDone, this.#parts, epoch);
    this.#stepsDone += steps;
    return withBatches(sum, rowsPerStep, losses, outputs.correct_count?.elements);
  }

  async state(): Promise<RuntimeTensors> {
    return this.#state.read();
  }

  async results(): Promise<RuntimeTensors> {
    const held = { ...this.#frozen, ...(await this.#state.read()) };
    return Object.fromEntries([...this.#parts.tensors.results].map(([name, result]) => [name, held[result]]));
  }

  async release(): Promise<void> {
    await this.#state.release();
  }

  /** How the rows of a batch lie, of which the parts are equal. */
  #sizesOf(rowCount: number): readonly number[] {
    const { plan } = this.#parts;
    const parts = partCount(plan, rowCount);
    return (plan.accumulatedParts ?? 1) === 1 ? [rowCount] : [parts, rowCount / parts];
  }

  #scalars(steps: number): RuntimeTensors {
    const { tensors, plan, stepCount } = this.#parts;
    const byStep = Array.from({ length: steps }, (_, index) => {
      const step = this.#stepsDone + index + 1;
      return moveScalars(tensors.moving, step, rateShareAt(plan, step, stepCount));
    });
    return Object.fromEntries(
      tensors.scalarNames.map((name) => {
        const elements = Float32Array.from(byStep, (scalars) => scalars[name]);
        return [name, { dataType: "FP32", shape: [steps], elements } as const];
      }),
    );
  }

  #nextCallSteps(stepMs: number): number {
    return Math.max(1, Math.min(this.#callStepsMax, Math.floor(this.#callMs / stepMs)));
  }
}

/** Tensors as they begin: where the run goes on, or by the parameter that they begin as, or all 0. */
export function begunTensors({ first, resumed }: StepperParts, tensors: readonly StateTensor[]): RuntimeTensors {
  const begun = ({ name, shape, startsAs = "" }: StateTensor) => {
    const elements = resumed?.tensors.get(name) ?? first.get(startsAs) ?? new Float32Array(product(shape));
    return [name, { dataType: "FP32", shape, elements }] as const;
  };
  return Object.fromEntries(tensors.map(begun));
}

/** Throws TRAINING_DIVERGED for the first of some steps' losses that is not finite. */
export function checkLosses(
  losses: ArrayLike<number>,
  stepsDone: number,
  { plan, stepCount }: StepperParts,
  epoch: number,
): void {
  const index = Array.from(losses).findIndex((loss) => !Number.isFinite(loss));
  if (index < 0) return;
  const step = stepsDone + index + 1;
  const epochSteps = stepCount / plan.epochCount;
  const batch = ((step - 1) % epochSteps) + 1;
  throw new ServiceError(
    "TRAINING_DIVERGED",
    `the loss is ${losses[index]} at step ${step}, batch ${batch} of ${epochSteps} in epoch ${epoch}; ` +
      `a learning rate below ${plan.optimizer.learningRate}, or features of smaller scale, may help`,
    { metadata: { epoch: String(epoch), step: String(step), batch: String(batch) } },
  );
}

/** What share of the learning rate a step has, from 1 to `stepCount`. */
export function rateShareAt(
  { schedule, epochCount, scheduledEpochs = epochCount }: TrainingPlan,
  step: number,
  stepCount: number,
): number {
  return schedule === undefined ? 1 : rateShare(schedule, step, (stepCount / epochCount) * scheduledEpochs);
}

function callMs({ state }: TrainingTensors): number {
  const stateBytes = Float32Array.BYTES_PER_ELEMENT * state.reduce((sum, { shape }) => sum + product(shape), 0);
  return Math.min(callTargetMs.most, Math.max(callTargetMs.least, callTargetMs.perStateByte * stateBytes));
}

/** Steps of one call of the runtime, at most. */
export function callStepsMax(
  plan: TrainingPlan,
  { rowCount, featureCount }: Pick<RowSource, "rowCount" | "featureCount">,
): number {
  const { batchRows, device = "cpu" } = plan;
  if (needsFixedSizes(device)) return 1;
  const batchBytes = batchRows * featureCount * Float32Array.BYTES_PER_ELEMENT;
  return Math.max(1, Math.min(Math.ceil(rowCount / batchRows), Math.floor(callBytesMax / batchBytes)));
}

/**
 * How many of an epoch's rows are learned from: all, but for those of the last batch that are too many for equal parts, which are fewer
 * than it has parts. Another epoch has other rows last.
 */
export function learnedRowCount(plan: TrainingPlan, rowCount: number): number {
  const last = rowCount % plan.batchRows;
  return rowCount - (last % partCount(plan, last));
}

/** In so many parts a batch is taken: as few as are no larger than those of a whole batch. */
function partCount({ accumulatedParts = 1, batchRows }: TrainingPlan, rowCount: number): number {
  return Math.max(1, Math.ceil((rowCount * accumulatedParts) / batchRows));
}
