import type { Reason } from "../../../lib/errors.ts";
import type { PreparedData } from "../datasets/row-source.ts";
import type { CheckpointSettings, KeptCheckpoint } from "./checkpoints.ts";
import type { MemoryEstimate } from "./memory-estimate.ts";
import type { TrainingOutcome, TrainingProgress } from "./training-figures.ts";
import type { TrainingPlan } from "./training-plan.ts";

/** What the training thread is started with. The host has checked the plan; the thread checks the data. */
export interface ThreadStart {
  readonly plan: TrainingPlan;
  readonly data: PreparedData;
  /** One element over shared memory, an index of `wishes`; heard before the next call of the runtime. */
  readonly wish: Int32Array;
  /** None where no state is kept. */
  readonly checkpoints?: CheckpointSettings | undefined;
  /** The file of the state that it goes on from. Where that is none of this training, it begins at the beginning. */
  readonly resumeFrom?: string | undefined;
}

/**
 * What the training thread says. What comes last is the outcome, that it has stopped, or a failure, when its native memory is free again.
 */
export type ThreadMessage =
  | { readonly kind: "started"; readonly memory: MemoryEstimate }
  /** It goes on after so many steps, 0 where it could not read what it was to go on from. */
  | { readonly kind: "resumed"; readonly step: number; readonly why?: string }
  | { readonly kind: "progress"; readonly progress: TrainingProgress }
  | { readonly kind: "checkpoint"; readonly checkpoint: KeptCheckpoint }
  | { readonly kind: "checkpointLost"; readonly why: string }
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
