import type { KeptCheckpoint } from "../engine/checkpoints.ts";
import type { MemoryEstimate } from "../engine/memory-estimate.ts";
import type { TrainingProgress } from "../engine/training-figures.ts";

/** The file of a part of predictions, by the part's index. */
export interface PredictedFile {
  readonly index: number;
  readonly path: string;
  /** Rows that are answered with it, of all parts and attempts, and rows in all. */
  readonly doneRows: number;
  readonly allRows: number;
}

/** What a job process says while it works. */
export type TaskNews =
  /** All is checked, and this is what it will take. */
  | { readonly kind: "started"; readonly memory: MemoryEstimate }
  | { readonly kind: "progress"; readonly progress: TrainingProgress }
  /** The state of the training lies in a file, which is the host's from now on. */
  | { readonly kind: "checkpoint"; readonly checkpoint: KeptCheckpoint }
  /** Some rows are answered. */
  | { readonly kind: "part"; readonly part: PredictedFile }
  | { readonly kind: "told"; readonly level: "info" | "warn"; readonly text: string };

/** What a task has of its process. */
export interface TaskHost {
  readonly say: (news: TaskNews) => void;
  /** Stops the task once its state is kept; then it throws the signal's reason. */
  readonly pause: AbortSignal;
}
