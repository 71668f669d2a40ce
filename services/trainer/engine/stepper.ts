import { ServiceError } from "../../../lib/errors.ts";
import { moveScalars } from "../graph/moves.ts";
import { rateShare } from "../graph/schedule.ts";
import type { StateTensor, TrainingGraph } from "../graph/training-graph.ts";
import { type RowForms, RowGatherer } from "./batches.ts";
import { needsFixedSizes } from "./device.ts";
import { CarriedTensors, type RuntimeTensor, type RuntimeTensors } from "./runtime.ts";
import type { Sessions } from "./sessions.ts";
import type { TrainingData, TrainingPlan } from "./training-plan.ts";

/** Sums over rows; `correctCount` for class targets only, of all their places. */
export interface Measured {
  readonly rowCount: number;
  readonly lossSum: number;
  readonly correctCount: number | undefined;
}

/** How long one call of the runtime should take: it can be neither watched nor stopped meanwhile. */
const callTargetMs = 400;

/** Features of one call, at most, in bytes; a single batch may be larger. */
const callBytesMax = 32 * 2 ** 20;

/** Holds parameters, statistics and optimizer state between calls of the runtime, and takes as many steps per call as time allows. */
export class Stepper {
  readonly #sessions: Sessions;
  readonly #graph: TrainingGraph;
  readonly #plan: TrainingPlan;
  readonly #gatherer: RowGatherer;
  readonly #callStepsMax: number;
  readonly #stepCount: number;
  readonly #frozen: RuntimeTensors;
  readonly #state: CarriedTensors;
  #stepsDone = 0;
  #callSteps = 1;

  /** `tensors` are the first elements of each parameter and statistic; they are only read. `stepCount` is that of the whole run. */
  constructor(
    sessions: Sessions,
    graph: TrainingGraph,
    plan: TrainingPlan,
    data: TrainingData,
    forms: RowForms,
    tensors: ReadonlyMap<string, Float32Array>,
    stepCount: number,
  ) {
    this.#stepCount = stepCount;
    this.#sessions = sessions;
    this.#graph = graph;
    this.#plan = plan;
    this.#callStepsMax = callStepsMax(plan, data);
    this.#gatherer = new RowGatherer(data, forms, this.#callStepsMax * plan.batchRows);
    const first = ({ name, shape, startsAs = "" }: StateTensor) => {
      const elements = tensors.get(startsAs) ?? new Float32Array(shape.reduce((product, size) => product * size, 1));
      return [name, { dataType: "FP32", shape, elements }] as const;
    };
    this.#state = new CarriedTensors(Object.fromEntries(graph.state.map(first)));
    this.#frozen = Object.fromEntries(graph.frozen.map(first));
  }

  /** Steps taken since the start. */
  get stepsDone(): number {
    return this.#stepsDone;
  }

  /**
   * Learns from the first batches of `rows`, in one call. How many depends on how long they take, but the weights that
   * come out do not. Throws TRAINING_DIVERGED where a batch's loss is not finite.
   */
  async advance(rows: Int32Array, epoch: number): Promise<Measured> {
    const { batchRows } = this.#plan;
    const wholeBatches = Math.floor(rows.length / batchRows);
    const steps = Math.max(1, Math.min(wholeBatches, this.#callSteps));
    const rowsPerStep = wholeBatches === 0 ? rows.length : batchRows;
    const sizes = [steps, ...this.#parts(rowsPerStep)];
    const batches = this.#gatherer.gather(rows.subarray(0, steps * rowsPerStep), sizes);
    const session = await this.#sessions.of(sizes);
    const startedMs = performance.now();
    const before = { dataType: "INT32", shape: [], elements: Int32Array.of(this.#stepsDone) } as const;
    const numbers = { steps_before: before, ...this.#scalars(steps) };
    const outputs = await session.run({ ...batches, ...numbers, ...this.#frozen }, this.#state);
    this.#callSteps = this.#nextCallSteps((performance.now() - startedMs) / steps);
    const losses = outputs.loss.elements;
    this.#checkLosses(losses, epoch);
    this.#stepsDone += steps;
    const correctCount = outputs.correct_count && total(outputs.correct_count);
    return { rowCount: steps * rowsPerStep, lossSum: total(outputs.loss) * rowsPerStep, correctCount };
  }

  /** The parameters as they are now, or their averages, and the statistics; what is read is overwritten by the step after the next. */
  async results(): Promise<RuntimeTensors> {
    const held = { ...this.#frozen, ...(await this.#state.read()) };
    return Object.fromEntries([...this.#graph.results].map(([name, result]) => [name, held[result]]));
  }

  /** Frees what the device keeps. */
  async release(): Promise<void> {
    await this.#state.release();
  }

  /** How the rows of a batch lie, of which the parts are equal. */
  #parts(rowCount: number): readonly number[] {
    const parts = partCount(this.#plan, rowCount);
    return (this.#plan.accumulatedParts ?? 1) === 1 ? [rowCount] : [parts, rowCount / parts];
  }

  #scalars(steps: number): RuntimeTensors {
    const { schedule } = this.#plan;
    const byStep = Array.from({ length: steps }, (_, index) => {
      const step = this.#stepsDone + index + 1;
      const share = schedule === undefined ? 1 : rateShare(schedule, step, this.#stepCount);
      return moveScalars(this.#graph.moving, step, share);
    });
    return Object.fromEntries(
      this.#graph.scalarNames.map((name) => {
        const elements = Float32Array.from(byStep, (scalars) => scalars[name]);
        return [name, { dataType: "FP32", shape: [steps], elements } as const];
      }),
    );
  }

  #nextCallSteps(stepMs: number): number {
    return Math.max(1, Math.min(this.#callStepsMax, Math.floor(callTargetMs / stepMs)));
  }

  #checkLosses(losses: RuntimeTensor["elements"], epoch: number): void {
    const index = losses.findIndex((loss) => !Number.isFinite(loss));
    if (index < 0) return;
    const step = this.#stepsDone + index + 1;
    const epochSteps = this.#stepCount / this.#plan.epochCount;
    const batch = ((step - 1) % epochSteps) + 1;
    throw new ServiceError(
      "TRAINING_DIVERGED",
      `the loss is ${losses[index]} at step ${step}, batch ${batch} of ${epochSteps} in epoch ${epoch}; ` +
        `a learning rate below ${this.#plan.optimizer.learningRate}, or features of smaller scale, may help`,
      { metadata: { epoch: String(epoch), step: String(step), batch: String(batch) } },
    );
  }
}

/** Steps of one call of the runtime, at most. */
export function callStepsMax(plan: TrainingPlan, { rowCount, featureCount }: TrainingData): number {
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

/** In double precision, in order. */
function total({ elements }: RuntimeTensor): number {
  let sum = 0;
  for (const element of elements) sum += element;
  return sum;
}
