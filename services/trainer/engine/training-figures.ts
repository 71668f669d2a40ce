import type { ConfusionMatrix } from "../metrics/confusion-matrix.ts";
import type { MetricValues } from "../metrics/metric-counter.ts";
import type { Device } from "./device.ts";

/** Losses are means over rows; accuracies are shares in [0, 1], given where targets are classes. */
export interface TrainingProgress {
  /** `epoch`: an epoch has ended, and its validation is in. `step`: somewhere within, at most every 250 ms. */
  readonly kind: "step" | "epoch";
  /** The epoch under way or just ended, from 1. */
  readonly epoch: number;
  /** Steps done since the start. */
  readonly step: number;
  /** Steps of the whole run. */
  readonly stepCount: number;
  /** Over the epoch's rows so far, each taken before the step that learned from it. */
  readonly trainingLoss: number;
  readonly trainingAccuracy?: number;
  /** Over the rows held out, after the epoch's last step; absent on `step` and where no rows are held out. */
  readonly validationLoss?: number;
  readonly validationAccuracy?: number;
  /** What else was measured on them. */
  readonly metrics?: MetricValues;
  /** Of the last step. */
  readonly learningRate: number;
  /** Rows learned from per second since the start. */
  readonly samplesPerSecond: number;
  /** How long all other steps will take, by the time of those so far. */
  readonly etaSeconds: number;
  /** The share of the time so far in which the runtime waited for data, in [0, 1]. */
  readonly waitedShare: number;
  /** What the steps run on. */
  readonly device: Device;
}

/** The figures of the epoch whose weights came out, and of the run. */
export interface TrainingMetrics {
  readonly trainingLoss: number;
  readonly trainingAccuracy?: number;
  readonly validationLoss?: number;
  readonly validationAccuracy?: number;
  /** What else was measured on the rows held out. */
  readonly metrics?: MetricValues;
  /** Epochs that were run, which an early stop makes fewer. */
  readonly epochCount: number;
  /** The epoch whose weights came out. */
  readonly bestEpoch: number;
  readonly stepCount: number;
  readonly trainingRows: number;
  readonly validationRows: number;
  readonly samplesPerSecond: number;
  readonly waitedShare: number;
  readonly durationMs: number;
  /** What the run was to take at its peak; `onStart` tells its parts. */
  readonly memoryEstimateBytes: number;
}

export interface TrainingOutcome {
  /** An ONNX model: `input` [batch, ...] to `output` FP32 [batch, ...], in the network's shapes. The caller owns it. */
  readonly model: Uint8Array;
  readonly metrics: TrainingMetrics;
  /** What each epoch measured; of many, one in so many, evenly. */
  readonly epochs: readonly TrainingProgress[];
  /** Of the rows held out, by the weights that came out; of few classes only. */
  readonly confusion?: ConfusionMatrix | undefined;
  readonly parameterCount: number;
  readonly device: Device;
  /** Of onnxruntime-node. */
  readonly runtimeVersion: string;
  /** The operators that the device could not run, which the CPU has run instead, in alphabetical order. */
  readonly leftToCpu: readonly string[];
}
