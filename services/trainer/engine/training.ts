import { ServiceError } from "../../../lib/errors.ts";
import type { Graph } from "../../../lib/onnx/graph.ts";
import { writeModel } from "../../../lib/onnx/model.ts";
import { product } from "../../../lib/onnx/shapes.ts";
import { type RowSplit, splitRows } from "../../../lib/split.ts";
import { epochOrder } from "../graph/epoch-order.ts";
import { inferenceModel } from "../graph/inference-model.ts";
import { initialTensors } from "../graph/initialise.ts";
import { targetForm } from "../graph/losses/loss.ts";
import type { TargetForm } from "../graph/losses/loss-kind.ts";
import type { Network } from "../graph/network.ts";
import { networkOf } from "../graph/network-spec.ts";
import { specError } from "../graph/spec-error.ts";
import { evaluationGraph, type TrainingGraph, trainingGraph } from "../graph/training-graph.ts";
import { Evaluation, evaluationRowsMax } from "./evaluation.ts";
import { type MemoryEstimate, memoryEstimate } from "./memory-estimate.ts";
import type { RuntimeTensors } from "./runtime.ts";
import { Sessions } from "./sessions.ts";
import { callStepsMax, learnedRowCount, type Measured, Stepper } from "./stepper.ts";
import type { TrainingMetrics, TrainingOutcome, TrainingProgress } from "./thread-protocol.ts";
import type { TrainingData, TrainingPlan } from "./training-plan.ts";

/** What a run tells and asks between calls of the runtime. */
export interface TrainingHooks {
  readonly onStart: (memory: MemoryEstimate) => void;
  readonly onProgress: (progress: TrainingProgress) => void;
  readonly isStopped: () => boolean;
}

/** The shortest time between two progress reports within an epoch. */
const progressIntervalMs = 250;

/** One training run in the thread that it blocks. Plan and data have been checked; one of too much memory throws SPEC_INVALID. */
export class Training {
  readonly #plan: TrainingPlan;
  readonly #data: TrainingData;
  readonly #hooks: TrainingHooks;
  readonly #network: Network;
  readonly #rows: RowSplit;
  readonly #form: TargetForm;
  readonly #graph: TrainingGraph;
  readonly #measuring: Graph;
  readonly #memory: MemoryEstimate;
  readonly #startedMs = performance.now();
  #learningSinceMs = 0;
  #reportedMs = 0;

  constructor(plan: TrainingPlan, data: TrainingData, hooks: TrainingHooks) {
    this.#plan = plan;
    this.#data = data;
    this.#hooks = hooks;
    this.#network = networkOf(plan.network);
    this.#rows = splitRows(data.rowCount, plan.validationShare, plan.seed);
    this.#form = targetForm(plan.loss, this.#network);
    this.#graph = trainingGraph(this.#network, plan.loss, plan, plan.seed);
    this.#measuring = evaluationGraph(this.#network, plan.loss);
    this.#memory = memoryEstimate({
      training: this.#graph,
      evaluation: this.#measuring,
      rowBytes: Float32Array.BYTES_PER_ELEMENT * (data.featureCount + product(this.#form.rowShape)),
      rowCount: data.rowCount,
      batchRows: plan.batchRows,
      parts: plan.accumulatedParts ?? 1,
      callSteps: callStepsMax(plan, data),
      stepCount: this.#stepCount,
      evaluationRows: Math.min(this.#rows.validation.length, evaluationRowsMax(this.#measuring)),
    });
    checkMemory(plan, this.#memory);
  }

  /** Runs every epoch, unless it is stopped. Throws TRAINING_DIVERGED at the first loss or weight that is not finite. */
  async run(): Promise<TrainingOutcome | "stopped"> {
    const { loss, threadCount, epochCount, device = "cpu" } = this.#plan;
    this.#hooks.onStart(this.#memory);
    const [network, plan] = [this.#network, this.#plan];
    const carried = this.#graph.state.map(({ name }) => name);
    const stepGraph = (sizes?: readonly number[]) =>
      sizes === undefined ? this.#graph.graph : trainingGraph(network, loss, plan, plan.seed, sizes).graph;
    const measuringGraph = (sizes?: readonly number[]) =>
      sizes === undefined ? this.#measuring : evaluationGraph(network, loss, sizes);
    const stepping = new Sessions({ threadCount, device, carried, graph: stepGraph });
    const evaluating = new Sessions({ threadCount, device, graph: measuringGraph });
    const forms = { input: network.input, targets: this.#form };
    const first = initialTensors(network, plan.seed);
    const stepper = new Stepper(stepping, this.#graph, plan, this.#data, forms, first, this.#stepCount);
    let last: TrainingProgress | undefined;
    let results: RuntimeTensors;
    try {
      const evaluation = new Evaluation(
        evaluating,
        evaluationRowsMax(this.#measuring),
        this.#data,
        forms,
        this.#rows.validation,
        this.#hooks.isStopped,
      );
      this.#learningSinceMs = this.#reportedMs = performance.now();
      for (let epoch = 1; epoch <= epochCount; epoch++) {
        const learned = await this.#runEpoch(stepper, epoch);
        if (learned === "stopped") return "stopped";
        const held = await evaluation.measure(await stepper.results());
        last = this.#progress("epoch", epoch, stepper.stepsDone, learned, held);
        this.#hooks.onProgress(last);
      }
      results = await stepper.results();
    } finally {
      await stepper.release();
      await stepping.release();
      await evaluating.release();
    }
    // The model is written when the runtime's memory is free again.
    const leftToCpu = [...new Set([...stepping.leftToCpu, ...evaluating.leftToCpu])].sort();
    return { ...this.#outcome(results, last as TrainingProgress), device, leftToCpu };
  }

  async #runEpoch(stepper: Stepper, epoch: number): Promise<Measured | "stopped"> {
    const all = epochOrder(this.#rows.training, this.#plan.seed, epoch);
    const order = all.subarray(0, this.#epochRowCount);
    let sum: Measured = { rowCount: 0, lossSum: 0, correctCount: undefined };
    while (sum.rowCount < order.length) {
      if (this.#hooks.isStopped()) return "stopped";
      sum = added(sum, await stepper.advance(order.subarray(sum.rowCount), epoch));
      const nowMs = performance.now();
      if (nowMs - this.#reportedMs >= progressIntervalMs && sum.rowCount < order.length) {
        this.#hooks.onProgress(this.#progress("step", epoch, stepper.stepsDone, sum));
      }
    }
    return sum;
  }

  #progress(
    kind: TrainingProgress["kind"],
    epoch: number,
    step: number,
    learned: Measured,
    held?: Measured,
  ): TrainingProgress {
    this.#reportedMs = performance.now();
    const rowsDone = (epoch - 1) * this.#epochRowCount + learned.rowCount;
    return {
      kind,
      epoch,
      step,
      stepCount: this.#stepCount,
      trainingLoss: learned.lossSum / learned.rowCount,
      ...(learned.correctCount !== undefined && { trainingAccuracy: this.#shareOf(learned.correctCount, learned) }),
      ...(held !== undefined && { validationLoss: held.lossSum / held.rowCount }),
      ...(held?.correctCount !== undefined && { validationAccuracy: this.#shareOf(held.correctCount, held) }),
      samplesPerSecond: rowsDone / ((this.#reportedMs - this.#learningSinceMs) / 1000),
    };
  }

  /** Of all places: rows may have several, each with its class. */
  #shareOf(correctCount: number, { rowCount }: Measured): number {
    return correctCount / (rowCount * product(this.#form.rowShape));
  }

  #outcome(results: RuntimeTensors, last: TrainingProgress): Omit<TrainingOutcome, "device" | "leftToCpu"> {
    const tensors = new Map(Object.entries(results).map(([name, { elements }]) => [name, elements as Float32Array]));
    for (const [name, elements] of tensors) {
      if (elements.every((element) => Number.isFinite(element))) continue;
      throw new ServiceError("TRAINING_DIVERGED", `the tensor ${name} is not finite after the last step`);
    }
    const { kind: _kind, epoch: epochCount, step: _step, ...figures } = last;
    const metrics: TrainingMetrics = {
      ...figures,
      epochCount,
      trainingRows: this.#rows.training.length,
      validationRows: this.#rows.validation.length,
      durationMs: performance.now() - this.#startedMs,
      memoryEstimateBytes: this.#memory.totalBytes,
    };
    const model = writeModel(inferenceModel(this.#network, tensors));
    return { model, metrics, parameterCount: this.#network.parameterCount };
  }

  /** How many rows an epoch learns from. */
  get #epochRowCount(): number {
    return learnedRowCount(this.#plan, this.#rows.training.length);
  }

  get #stepCount(): number {
    return this.#plan.epochCount * Math.ceil(this.#rows.training.length / this.#plan.batchRows);
  }
}

/** Beyond what there is the system would end the whole process, and all other jobs with it. */
function checkMemory(
  { device = "cpu", memoryBytesMax = Infinity }: TrainingPlan,
  { totalBytes }: MemoryEstimate,
): void {
  if (device !== "cpu" || totalBytes <= memoryBytesMax) return;
  const needed = `at most ${memoryBytesMax}, AMAAS_TRAINER_MEMORY_BYTES_MAX; smaller batches, or more accumulated_parts, take less`;
  throw specError("the training", `one that takes about ${totalBytes} bytes of memory`, needed);
}

function added(a: Measured, b: Measured): Measured {
  const correctCount = b.correctCount === undefined ? undefined : (a.correctCount ?? 0) + b.correctCount;
  return { rowCount: a.rowCount + b.rowCount, lossSum: a.lossSum + b.lossSum, correctCount };
}
