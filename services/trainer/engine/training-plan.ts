import { ServiceError } from "../../../lib/errors.ts";
import { validationRowCount } from "../../../lib/split.ts";
import { type Layer, type Network, networkOf } from "../graph/layers.ts";
import { checkLoss, checkTargets, type Loss } from "../graph/losses/loss.ts";
import { checkMoves, type Moves } from "../graph/moves.ts";
import { checkSchedule, type Schedule } from "../graph/schedule.ts";
import { specError } from "../graph/spec-error.ts";

/** All that decides a training run besides its data. The same plan and data give the same weights, bit for bit. */
export interface TrainingPlan extends Moves {
  readonly layers: readonly Layer[];
  readonly loss: Loss;
  /** Of the learning rate; constant where it is left out. */
  readonly schedule?: Schedule | undefined;
  /** Passes over the training rows, in [1, {@link epochCountMax}]. */
  readonly epochCount: number;
  /** Rows per step, at most the rows to train on. The last batch of an epoch holds what is left, as in PyTorch. */
  readonly batchRows: number;
  /** An integer in [0, 2^53): decides the initial weights, the split and the order of rows. */
  readonly seed: number;
  /** Share of rows held out, in [0, 1); which ones is decided by `splitRows` of lib/split.ts. 0 holds out none. */
  readonly validationShare: number;
  /** Threads of the runtime inside one operator, in [1, {@link threadCountMax}]. */
  readonly threadCount: number;
}

/** A dataset in memory. Arrays over a SharedArrayBuffer are shared with the training thread, others are copied to it. */
export interface TrainingData {
  readonly rowCount: number;
  readonly featureCount: number;
  /** Row-major [rowCount, featureCount]. */
  readonly features: Float32Array;
  /** Mean squared error: row-major [rowCount, outputs]. Cross-entropy: the class index of each row. */
  readonly targets: Float32Array | Int32Array;
}

const epochCountMax = 1_000_000;
const batchRowsMax = 65_536;
export const threadCountMax = 256;

/** Refuses a plan that no data could train: throws SPEC_INVALID with the field, the value seen and the value needed. */
export function checkPlan(plan: TrainingPlan): Network {
  const network = networkOf(plan.layers);
  checkLoss(plan.loss, network);
  checkMoves(plan, network.parameters);
  if (plan.schedule !== undefined) checkSchedule(plan.schedule);
  checkWhole("epochs", plan.epochCount, 1, epochCountMax);
  checkWhole("batch_size", plan.batchRows, 1, batchRowsMax);
  checkWhole("seed", plan.seed, 0, Number.MAX_SAFE_INTEGER);
  checkWhole("thread_count", plan.threadCount, 1, threadCountMax);
  const { validationShare } = plan;
  if (!Number.isFinite(validationShare) || validationShare < 0 || validationShare >= 1) {
    throw specError("validation_share", validationShare, "a number in [0, 1)");
  }
  return network;
}

/** Refuses data that does not fit a checked plan: throws DATASET_INVALID, or SPEC_INVALID where the plan asks too much. */
export function checkData(plan: TrainingPlan, network: Network, data: TrainingData): void {
  const { rowCount, featureCount, features } = data;
  if (rowCount < 1) throw new ServiceError("DATASET_INVALID", "the dataset has no rows; needed: at least 1");
  if (featureCount !== network.inputSize) {
    throw new ServiceError(
      "DATASET_INVALID",
      `the dataset has ${featureCount} feature columns; the first linear layer needs ${network.inputSize}`,
    );
  }
  if (features.length !== rowCount * featureCount) {
    throw new ServiceError(
      "DATASET_INVALID",
      `features holds ${features.length} numbers; ${rowCount} rows of ${featureCount} need ${rowCount * featureCount}`,
    );
  }
  checkFinite("feature", features, featureCount);
  checkTargets(plan.loss, network, data);
  if (data.targets instanceof Float32Array) checkFinite("target", data.targets, network.outputSize);
  const trainingRows = rowCount - validationRowCount(rowCount, plan.validationShare);
  if (trainingRows === 0) {
    throw specError(
      "validation_share",
      plan.validationShare,
      `a share that leaves some of ${rowCount} rows to train on`,
    );
  }
  if (plan.batchRows > trainingRows) {
    throw specError("batch_size", plan.batchRows, `at most ${trainingRows}, the rows left to train on`);
  }
}

function checkWhole(field: string, value: number, least: number, most: number): void {
  if (!Number.isSafeInteger(value) || value < least || value > most) {
    throw specError(field, value, `a whole number in [${least}, ${most}]`);
  }
}

function checkFinite(what: string, values: Float32Array, width: number): void {
  const index = values.findIndex((value) => !Number.isFinite(value));
  if (index < 0) return;
  const place = `${what} ${index % width} of row ${Math.floor(index / width)}`;
  throw new ServiceError("DATASET_INVALID", `${place} is ${values[index]}; needed: a finite number`);
}
