import { ServiceError } from "../../../lib/errors.ts";
import { product } from "../../../lib/onnx/shapes.ts";
import type { PreparedData, RowElements, RowStorage } from "../datasets/row-source.ts";
import { openRows } from "../datasets/rows/open-rows.ts";
import { checkLoss, checkTargets, type Loss } from "../graph/losses/loss.ts";
import { checkMoves, type Moves } from "../graph/moves.ts";
import type { Network, NetworkInput } from "../graph/network.ts";
import { type NetworkSpec, networkOf } from "../graph/network-spec.ts";
import { checkSchedule, type Schedule } from "../graph/schedule.ts";
import { specError } from "../graph/spec-error.ts";
import { type Device, devices } from "./device.ts";
import { checkEarlyStopping, type EpochJudgement } from "./epoch-record.ts";

/** All that decides a training run besides its data. The same plan and data give the same weights, bit for bit. */
export interface TrainingPlan extends Moves, EpochJudgement {
  readonly network: NetworkSpec;
  readonly loss: Loss;
  /** Of the learning rate; constant where it is left out. */
  readonly schedule?: Schedule | undefined;
  /** Passes over the training rows, in [1, {@link epochCountMax}]. */
  readonly epochCount: number;
  /** The epochs over which the schedule goes, where other runs go on behind this one; `epochCount` if not set. */
  readonly scheduledEpochs?: number | undefined;
  /** Rows per step, at most the rows to train on. The last batch of an epoch holds what is left, as in PyTorch. */
  readonly batchRows: number;
  /** An integer in [0, 2^53): decides the initial weights, the split and the order of rows. */
  readonly seed: number;
  /** Share of rows held out, in [0, 1); 0 holds out none. Data come split: by lib/split.ts, or as the job's data say. */
  readonly validationShare: number;
  /** Threads inside one operator of the runtime, or that share the rows of a batch, in [1, {@link threadCountMax}]. */
  readonly threadCount: number;
  /** What it runs on, the CPU by default. Nothing else takes its place where there is none. */
  readonly device?: Device | undefined;
  /** Bytes of memory that a training on the CPU may be estimated to take; without a bound if not set. */
  readonly memoryBytesMax?: number | undefined;
}

const epochCountMax = 1_000_000;
const batchRowsMax = 65_536;
export const threadCountMax = 256;

/** Refuses a plan that no data could train: throws SPEC_INVALID with the field, the value seen and the value needed. */
export function checkPlan(plan: TrainingPlan): Network {
  const network = networkOf(plan.network);
  checkLoss(plan.loss, network);
  checkRun(plan, network.parameters);
  return network;
}

/** The same of all but the network itself; its `parameters` are not known where the data decides its input. */
export function checkRun(plan: TrainingPlan, parameters?: Network["parameters"]): void {
  checkMoves(plan, parameters);
  if (plan.schedule !== undefined) checkSchedule(plan.schedule);
  if (plan.earlyStopping !== undefined) checkEarlyStopping(plan.earlyStopping, plan.loss);
  checkWhole("epochs", plan.epochCount, 1, epochCountMax);
  checkWhole("batch_size", plan.batchRows, 1, batchRowsMax);
  checkParts(plan);
  checkWhole("seed", plan.seed, 0, Number.MAX_SAFE_INTEGER);
  checkWhole("thread_count", plan.threadCount, 1, threadCountMax);
  const { validationShare, device = "cpu" } = plan;
  if (!devices.includes(device)) throw specError("device", device, `one of ${devices.join(", ")}`);
  if (!Number.isFinite(validationShare) || validationShare < 0 || validationShare >= 1) {
    throw specError("validation_share", validationShare, "a number in [0, 1)");
  }
}

/**
 * Refuses data that does not fit a checked plan: throws DATASET_INVALID, or SPEC_INVALID where the plan asks too much. Rows on disk have had
 * their values checked before they were written.
 */
export function checkData(plan: TrainingPlan, network: Network, { training, validation }: PreparedData): void {
  checkRows(plan, network, training);
  if (!isOneTable(training, validation)) checkRows(plan, network, validation);
  const [rowCount, heldOut] = [training, validation].map((part) => openRows(part).rowCount) as [number, number];
  if (rowCount + heldOut === 0) {
    throw new ServiceError("DATASET_INVALID", "the dataset has no rows; needed: at least 1");
  }
  if (rowCount === 0) {
    throw specError(
      "validation_share",
      plan.validationShare,
      `a share that leaves some of ${heldOut} rows to train on`,
    );
  }
  if (plan.batchRows > rowCount) {
    throw specError("batch_size", plan.batchRows, `at most ${rowCount}, the rows left to train on`);
  }
  if (heldOut > 0) return;
  const needed = "none where no rows are held out: a validation_share above 0";
  if (plan.earlyStopping !== undefined) throw specError("early_stopping", "set", needed);
  if (plan.keepBest) throw specError("keep_best", "true", needed);
}

function isOneTable(a: RowStorage, b: RowStorage): boolean {
  return a.kind === "memory" && b.kind === "memory" && a.features === b.features;
}

function checkRows(plan: TrainingPlan, network: Network, rows: RowStorage): void {
  const { rowShape } = network.input;
  const { featureCount } = rows;
  if (featureCount !== product(rowShape)) {
    const needed = rowShape.length === 1 ? `${rowShape}` : `${product(rowShape)}, for rows of the shape [${rowShape}]`;
    throw new ServiceError(
      "DATASET_INVALID",
      `the dataset has ${featureCount} feature columns; the network's input needs ${needed}`,
    );
  }
  if (rows.kind === "disk") return;
  const { features, targets } = rows;
  checkFeatures(network.input, features, featureCount);
  checkTargets(plan.loss, network, { rowCount: features.length / featureCount, targets });
  if (targets instanceof Float32Array) checkFinite("target", targets, product(network.outputShape));
}

function checkParts({ accumulatedParts = 1, batchRows }: TrainingPlan): void {
  checkWhole("accumulated_parts", accumulatedParts, 1, batchRowsMax);
  if (batchRows % accumulatedParts === 0) return;
  throw specError("accumulated_parts", accumulatedParts, `a divisor of batch_size, ${batchRows}`);
}

function checkWhole(field: string, value: number, least: number, most: number): void {
  if (!Number.isSafeInteger(value) || value < least || value > most) {
    throw specError(field, value, `a whole number in [${least}, ${most}]`);
  }
}

function checkFeatures({ dataType, tokenCount }: NetworkInput, features: RowElements, width: number): void {
  if (features instanceof Float32Array !== (dataType === "FP32")) {
    const [seen, needed] = dataType === "FP32" ? ["INT32", "FP32"] : ["FP32", "INT32"];
    throw new ServiceError("DATASET_INVALID", `features are ${seen}; the network's input needs ${needed}`);
  }
  if (features instanceof Float32Array) {
    checkFinite("feature", features, width);
    return;
  }
  if (tokenCount === undefined) return;
  const index = features.findIndex((token) => token < 0 || token >= tokenCount);
  if (index < 0) return;
  const place = `token ${index % width} of row ${Math.floor(index / width)}`;
  throw new ServiceError("DATASET_INVALID", `${place} is ${features[index]}; needed: one in [0, ${tokenCount - 1}]`);
}

function checkFinite(what: string, values: Float32Array, width: number): void {
  let index = 0;
  while (index < values.length && Number.isFinite(values[index])) index++;
  if (index === values.length) return;
  const place = `${what} ${index % width} of row ${Math.floor(index / width)}`;
  throw new ServiceError("DATASET_INVALID", `${place} is ${values[index]}; needed: a finite number`);
}
