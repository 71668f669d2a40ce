import { assert, messageOf } from "../../../lib/errors.ts";
import { suiteVersion } from "../../../lib/suite-version.ts";
import type { PreparedData } from "../datasets/row-source.ts";
import { readCheckpoint } from "./checkpoint-file.ts";
import type { CheckpointHooks, CheckpointSettings } from "./checkpoints.ts";
import type { MemoryEstimate } from "./memory-estimate.ts";
import { Training } from "./training.ts";
import type { TrainingOutcome, TrainingProgress } from "./training-figures.ts";
import { checkData, checkPlan, type TrainingPlan } from "./training-plan.ts";
import type { TrainingState } from "./training-state.ts";

/** What a run tells, and how it is stopped. */
export interface TrainingRunOptions extends Partial<CheckpointHooks> {
  /** Called once, when plan and data have passed their checks and before the first step, with the memory that the run will take. */
  readonly onStart?: (memory: MemoryEstimate) => void;
  /** Called in order, once per epoch and at most every 250 ms within one. A throw ends the run with its error. */
  readonly onProgress?: (progress: TrainingProgress) => void;
  /** Stops the run before its next call of the runtime; the promise then rejects with the signal's reason. */
  readonly signal?: AbortSignal;
  /** Where the state of the run is kept, and how often; it is not if this is not set. */
  readonly checkpoints?: CheckpointSettings;
  /** The file of a state that the run goes on from; where it is none of this run, that begins at the beginning. */
  readonly resumeFrom?: string | undefined;
  /** Called once with the step that the run goes on from, where it was to, and why its last bits may differ; 0 where it could not, and why. */
  readonly onResume?: (step: number, why: string | undefined) => void;
  /** Stops the run, too, once it has kept its state; the promise then rejects with this signal's reason. */
  readonly pause?: AbortSignal;
}

/**
 * Trains a network and gives the trained model. It takes the thread that calls it for up to half a second at a time.
 *
 * Rejects with SPEC_INVALID or DATASET_INVALID where plan or data fail a check, with TRAINING_DIVERGED at the first loss that is not finite,
 * and with the signal's reason on an abort.
 */
export async function runTraining(
  plan: TrainingPlan,
  data: PreparedData,
  options: TrainingRunOptions = {},
): Promise<TrainingOutcome> {
  const { signal, pause, checkpoints, resumeFrom, onResume = ignored } = options;
  checkData(plan, checkPlan(plan), data);
  signal?.throwIfAborted();
  const training = new Training(plan, data, {
    onStart: options.onStart ?? ignored,
    onProgress: options.onProgress ?? ignored,
    onCheckpoint: options.onCheckpoint ?? ignored,
    onCheckpointLost: options.onCheckpointLost ?? ignored,
    wish: () => (signal?.aborted ? "stop" : pause?.aborted ? "keep" : "go on"),
  });
  const resumed = resumeFrom === undefined ? undefined : stateIn(resumeFrom, plan, training, onResume);
  const outcome = await training.run(checkpoints, resumed);
  if (outcome !== "stopped") return outcome;
  signal?.throwIfAborted();
  assert(pause?.aborted, "a run stops only when it is asked to");
  throw pause.reason;
}

/** The state in a file, if it is one of this training. */
function stateIn(
  path: string,
  plan: TrainingPlan,
  training: Training,
  onResume: NonNullable<TrainingRunOptions["onResume"]>,
): TrainingState | undefined {
  try {
    const state = readCheckpoint(path);
    assert(training.fits(state), "the state is one of this training");
    onResume(state.stepsDone, differenceOf(state, plan));
    return state;
  } catch (failure) {
    onResume(0, messageOf(failure));
    return undefined;
  }
}

/** Sums of gradients are taken in the order of threads, and by the graphs of a release. */
function differenceOf(state: TrainingState, { threadCount }: TrainingPlan): string | undefined {
  const [threads, suite] = [state.threadCount !== threadCount, state.suite !== suiteVersion()];
  const seen = [
    ...(threads ? [`with ${threadCount} threads instead of ${state.threadCount}`] : []),
    ...(suite ? [`by version ${suiteVersion()} instead of ${state.suite}`] : []),
  ];
  return seen.length === 0 ? undefined : `${seen.join(" and ")}: the last bits may differ`;
}

function ignored(): void {}
