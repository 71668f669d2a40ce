import { assert, ServiceError } from "../../../lib/errors.ts";
import type { Graph } from "../../../lib/onnx/graph.ts";
import { writeModel } from "../../../lib/onnx/model.ts";
import { product } from "../../../lib/onnx/shapes.ts";
import { servedWith } from "../datasets/columns/preprocessing-graph.ts";
import type { PreparedData, RowSource } from "../datasets/row-source.ts";
import { openRows } from "../datasets/rows/open-rows.ts";
import { inferenceModel } from "../graph/inference-model.ts";
import { initialTensors } from "../graph/initialise.ts";
import { targetForm } from "../graph/losses/loss.ts";
import type { Network } from "../graph/network.ts";
import { networkOf } from "../graph/network-spec.ts";
import { specError } from "../graph/spec-error.ts";
import { evaluationGraph, type TrainingGraph, trainingGraph } from "../graph/training-graph.ts";
import { counterOf } from "../metrics/counter-of.ts";
import { type CheckpointHooks, type CheckpointSettings, Checkpoints } from "./checkpoints.ts";
import type { EpochRecord } from "./epoch-record.ts";
import { Evaluation, evaluationRowsMax } from "./evaluation.ts";
import { Learning } from "./learning.ts";
import { type MemoryEstimate, memoryEstimate } from "./memory-estimate.ts";
import { openSteps } from "./open-steps.ts";
import type { RowForms } from "./row-buffer.ts";
import { type RuntimeTensors, runtimeVersion } from "./runtime.ts";
import { Sessions } from "./sessions.ts";
import { shardCount } from "./shards/shard-count.ts";
import { callStepsMax } from "./stepper.ts";
import type { TrainingMetrics, TrainingOutcome, TrainingProgress } from "./training-figures.ts";
import type { TrainingPlan } from "./training-plan.ts";
import type { TrainingState } from "./training-state.ts";
import type { Wish } from "./wish.ts";

/** What a run tells and asks between calls of the runtime. */
export interface TrainingHooks extends CheckpointHooks {
  readonly onStart: (memory: MemoryEstimate) => void;
  readonly onProgress: (progress: TrainingProgress) => void;
  readonly wish: () => Wish;
}

/** One training run in the thread that it blocks. Plan and data have been checked; one of too much memory throws SPEC_INVALID. */
export class Training {
  readonly #plan: TrainingPlan;
  readonly #hooks: TrainingHooks;
  readonly #data: PreparedData;
  readonly #network: Network;
  readonly #rows: RowSource;
  readonly #heldOut: RowSource;
  readonly #forms: RowForms;
  readonly #graph: TrainingGraph;
  readonly #measuring: Graph;
  /** That share the rows of a batch. */
  readonly #threads: number;
  readonly #memory: MemoryEstimate;
  readonly #startedMs = performance.now();

  constructor(plan: TrainingPlan, data: PreparedData, hooks: TrainingHooks) {
    this.#plan = plan;
    this.#data = data;
    this.#hooks = hooks;
    this.#network = networkOf(plan.network);
    this.#rows = openRows(data.training);
    this.#heldOut = openRows(data.validation);
    this.#forms = { input: this.#network.input, targets: targetForm(plan.loss, this.#network) };
    this.#graph = trainingGraph(this.#network, plan.loss, plan, plan.seed);
    this.#measuring = evaluationGraph(this.#network, plan.loss);
    this.#threads = shardCount(plan, this.#network, this.#measuring);
    this.#memory = memoryEstimate({
      training: this.#graph,
      evaluation: this.#measuring,
      rowBytes: Float32Array.BYTES_PER_ELEMENT * (this.#rows.featureCount + product(this.#forms.targets.rowShape)),
      rowCount: this.#rows.rowsInMemory + this.#heldOut.rowsInMemory,
      batchRows: plan.batchRows,
      parts: plan.accumulatedParts ?? 1,
      threads: this.#threads,
      callSteps: this.#threads > 1 ? 1 : callStepsMax(plan, this.#rows),
      stepCount: this.#stepCount,
      evaluationRows: Math.min(this.#heldOut.rowCount, evaluationRowsMax(this.#measuring)),
      keepsBest: plan.keepBest ?? false,
    });
    checkMemory(plan, this.#memory);
  }

  /** Whether a state is one of this training, as far as its tensors tell. */
  fits({ tensors, stepsDone }: TrainingState): boolean {
    const { state } = this.#graph;
    const isSame = ({ name, shape }: (typeof state)[number]) => tensors.get(name)?.length === product(shape);
    return tensors.size === state.length && state.every(isSame) && stepsDone <= this.#stepCount;
  }

  /**
   * Runs every epoch, from the beginning or from a state that fits, unless it is stopped or ends early. Throws TRAINING_DIVERGED at the
   * first loss or weight that is not finite.
   */
  async run(checkpoints?: CheckpointSettings, resumed?: TrainingState): Promise<TrainingOutcome | "stopped"> {
    const { loss, threadCount, device = "cpu" } = this.#plan;
    this.#hooks.onStart(this.#memory);
    const [network, plan, graph, hooks] = [this.#network, this.#plan, this.#graph, this.#hooks];
    const [rows, forms, stepCount] = [this.#rows, this.#forms, this.#stepCount];
    const carried = graph.state.map(({ name }) => name);
    const stepGraph = (sizes?: readonly number[]) =>
      sizes === undefined ? graph.graph : trainingGraph(network, loss, plan, plan.seed, sizes).graph;
    const measuringGraph = (sizes?: readonly number[]) =>
      sizes === undefined ? this.#measuring : evaluationGraph(network, loss, sizes);
    const stepping = new Sessions({ threadCount, device, carried, graph: stepGraph });
    const evaluating = new Sessions({ threadCount, device, graph: measuringGraph });
    const first = initialTensors(network, plan.seed);
    const parts = { tensors: graph, plan, rows, forms, first, stepCount, resumed };
    const stepper = await openSteps(parts, network, this.#threads, stepping);
    const isStopped = () => hooks.wish() !== "go on";
    const rowsPerCall = evaluationRowsMax(this.#measuring);
    const counter = () => counterOf(loss, network.outputShape, "scores");
    const evaluation = new Evaluation(evaluating, rowsPerCall, this.#heldOut, forms, counter, isStopped);
    const kept = checkpoints && new Checkpoints(checkpoints, hooks, stepper.stepsDone);
    const { onProgress, wish } = hooks;
    const learning = new Learning({
      ...{ plan, rows, forms, stepper, evaluation, stepCount, resumed, onProgress, wish },
      checkpoints: kept,
    });
    let results: RuntimeTensors | "stopped";
    try {
      results = await learning.run();
    } finally {
      await stepper.release();
      await stepping.release();
      await evaluating.release();
    }
    if (results === "stopped") return results;
    // The model is written when the runtime's memory is free again.
    const leftToCpu = [...new Set([...stepping.leftToCpu, ...evaluating.leftToCpu])].sort();
    return { ...this.#outcome(results, learning.record), device, runtimeVersion, leftToCpu };
  }

  #outcome(
    results: RuntimeTensors,
    record: EpochRecord,
  ): Omit<TrainingOutcome, "device" | "runtimeVersion" | "leftToCpu"> {
    const last = new Map(Object.entries(results).map(([name, { elements }]) => [name, elements as Float32Array]));
    const tensors = record.bestTensors.size > 0 ? record.bestTensors : last;
    for (const [name, elements] of tensors) {
      if (elements.every((element) => Number.isFinite(element))) continue;
      throw new ServiceError("TRAINING_DIVERGED", `the tensor ${name} is not finite after the last step`);
    }
    const { chosen, history } = record;
    assert(chosen !== undefined && history.last !== undefined, "a training that has ended has had an epoch");
    const {
      kind: _kind,
      epoch: bestEpoch,
      step: _step,
      etaSeconds: _eta,
      learningRate: _rate,
      device: _device,
      ...figures
    } = chosen;
    const { samplesPerSecond, waitedShare, epoch: epochCount, step: stepCount } = history.last;
    const metrics: TrainingMetrics = {
      ...figures,
      ...{ samplesPerSecond, waitedShare, epochCount, bestEpoch, stepCount },
      trainingRows: this.#rows.rowCount,
      validationRows: this.#heldOut.rowCount,
      durationMs: performance.now() - this.#startedMs,
      memoryEstimateBytes: this.#memory.totalBytes,
    };
    const model = writeModel(inferenceModel(this.#network, tensors, servedWith(this.#data, this.#network)));
    const { epochs, confusion } = history;
    return { model, metrics, epochs, confusion, parameterCount: this.#network.parameterCount };
  }

  get #stepCount(): number {
    return this.#plan.epochCount * Math.ceil(this.#rows.rowCount / this.#plan.batchRows);
  }
}

/** Beyond what there is the job would be ended by its worker, or by the system. */
function checkMemory(
  { device = "cpu", memoryBytesMax = Number.POSITIVE_INFINITY }: TrainingPlan,
  { totalBytes }: MemoryEstimate,
): void {
  if (device !== "cpu" || totalBytes <= memoryBytesMax) return;
  const needed = `at most ${memoryBytesMax}, limits.memory_bytes or AMAAS_TRAINER_MEMORY_BYTES_MAX; smaller batches, or more accumulated_parts, take less`;
  throw specError("the training", `one that takes about ${totalBytes} bytes of memory`, needed);
}
