import type { Reason } from "../../../lib/errors.ts";
import type { Device } from "./device.ts";
import type { MemoryEstimate } from "./memory-estimate.ts";
import type { TrainingData, TrainingPlan } from "./training-plan.ts";

/** What the training thread is started with. The host has checked the plan; the thread checks the data. */
export interface ThreadStart {
  readonly plan: TrainingPlan;
  readonly data: TrainingData;
  /** One element over shared memory; non-zero asks the thread to stop before its next call of the runtime. */
  readonly stopFlag: Int32Array;
}

/** What the training thread says. What is neither its start nor progress comes last, when its native memory is free again. */
export type ThreadMessage =
  | { readonly kind: "started"; readonly memory: MemoryEstimate }
  | { readonly kind: "progress"; readonly progress: TrainingProgress }
  | { readonly kind: "finished"; readonly outcome: TrainingOutcome }
  | { readonly kind: "stopped" }
  | ({ readonly kind: "failed" } & ThreadFailure);

/** An error, with what a ServiceError has besides. */
export interface ThreadFailure {
  readonly reason?: Reason;
  readonly metadata?: Readonly<Record<string, string>>;
  readonly message: string;
  readonly stack?: string;
}

/** Losses are means over rows; accuracies are shares in [0, 1], given for cross-entropy only. */
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
  /** Rows learned from per second since the start. */
  readonly samplesPerSecond: number;
}

/** The figures of the last epoch and of the run. */
export interface TrainingMetrics {
  readonly trainingLoss: number;
  readonly trainingAccuracy?: number;
  readonly validationLoss?: number;
  readonly validationAccuracy?: number;
  readonly epochCount: number;
  readonly stepCount: number;
  readonly trainingRows: number;
  readonly validationRows: number;
  readonly samplesPerSecond: number;
  readonly durationMs: number;
  /** What the run was to take at its peak; `onStart` tells its parts. */
  readonly memoryEstimateBytes: number;
}

export interface TrainingOutcome {
  /** An ONNX model: `input` [batch, ...] to `output` FP32 [batch, ...], in the network's shapes. The caller owns it. */
  readonly model: Uint8Array;
  readonly metrics: TrainingMetrics;
  readonly parameterCount: number;
  readonly device: Device;
  /** The operators that the device could not run, which the CPU has run instead, in alphabetical order. */
  readonly leftToCpu: readonly string[];
}
