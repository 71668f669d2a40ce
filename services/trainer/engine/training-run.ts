import { setTimeout as waited } from "node:timers/promises";
import type { Worker } from "node:worker_threads";
import { ServiceError } from "../../../lib/errors.ts";
import { startThread } from "../../../lib/start-thread.ts";
import type { PreparedData } from "../datasets/row-source.ts";
import type { CheckpointSettings, KeptCheckpoint } from "./checkpoints.ts";
import type { MemoryEstimate } from "./memory-estimate.ts";
import type { ThreadFailure, ThreadMessage, ThreadStart } from "./thread-protocol.ts";
import type { TrainingOutcome, TrainingProgress } from "./training-figures.ts";
import { checkPlan, type TrainingPlan } from "./training-plan.ts";
import { type Wish, wishes } from "./wish.ts";

export interface TrainingRunOptions {
  /** Called once, when plan and data have passed their checks and before the first step, with the memory that the run will take. */
  readonly onStart?: (memory: MemoryEstimate) => void;
  /** Called in order, once per epoch and at most every 250 ms within one. A throw ends the run with its error. */
  readonly onProgress?: (progress: TrainingProgress) => void;
  /** Stops the run; the promise then rejects with the signal's reason, within {@link stopGraceMs}. */
  readonly signal?: AbortSignal;
  /** Where the state of the run is kept, and how often; it is not if this is not set. */
  readonly checkpoints?: CheckpointSettings;
  /** Called in order. The file is the caller's. */
  readonly onCheckpoint?: (checkpoint: KeptCheckpoint) => void;
  /** Called where a state could not be kept; the run goes on. */
  readonly onCheckpointLost?: (why: string) => void;
  /** The file of a state that the run goes on from; where it is none of this run, that begins at the beginning. */
  readonly resumeFrom?: string | undefined;
  /** Called once with the step that the run goes on from, where it was to; 0 where it could not, and why. */
  readonly onResume?: (step: number, why: string | undefined) => void;
  /** Stops the run, too, once it has kept its state; the promise then rejects with this signal's reason. */
  readonly pause?: AbortSignal;
}

/** How long an ended run waits for its thread to leave the runtime; a longer call of the runtime ends on its own. */
const stopGraceMs = 900;

/**
 * Trains a network in a thread of its own, which also checks the data, and gives the trained model. The thread outlives the
 * promise by no more than one call of the runtime.
 *
 * Rejects with SPEC_INVALID or DATASET_INVALID where plan or data fail a check, with TRAINING_DIVERGED at the first loss
 * that is not finite, with the signal's reason on an abort, and with INTERNAL if the thread dies.
 */
export async function runTraining(
  plan: TrainingPlan,
  data: PreparedData,
  options: TrainingRunOptions = {},
): Promise<TrainingOutcome> {
  checkPlan(plan);
  options.signal?.throwIfAborted();
  const { checkpoints, resumeFrom, pause } = options;
  const wish = new Int32Array(new SharedArrayBuffer(4));
  const ask = (what: Wish) => Atomics.store(wish, 0, wishes.indexOf(what));
  const workerData: ThreadStart = { plan, data, wish, checkpoints, resumeFrom };
  const worker = startThread(new URL("./thread", import.meta.url), { workerData, name: "training" });
  // Never terminated while it may be inside the runtime: that ends the whole process.
  const ended = endOf(worker).then(() => worker.terminate());
  const keep = () => ask("keep");
  pause?.addEventListener("abort", keep);
  if (pause?.aborted) keep();
  try {
    return await outcomeOf(worker, options);
  } finally {
    pause?.removeEventListener("abort", keep);
    ask("stop");
    await Promise.race([ended, waited(stopGraceMs, undefined, { ref: false })]);
  }
}

/** Resolves once the thread has said its last word, or is no more. */
function endOf(worker: Worker): Promise<void> {
  return new Promise((resolve) => {
    worker.on("message", ({ kind }: ThreadMessage) => lastWords.has(kind) && resolve());
    worker.on("error", () => resolve());
    worker.on("exit", () => resolve());
  });
}

/** What a thread says last. */
const lastWords = new Set<ThreadMessage["kind"]>(["finished", "stopped", "failed"]);

function outcomeOf(worker: Worker, options: TrainingRunOptions): Promise<TrainingOutcome> {
  const { onStart, onProgress, onResume, onCheckpoint, onCheckpointLost, signal, pause } = options;
  return new Promise((resolve, reject) => {
    let isSettled = false;
    const settled = (settle: () => void) => {
      isSettled = true;
      signal?.removeEventListener("abort", abort);
      settle();
    };
    const abort = () => settled(() => reject(signal?.reason));
    signal?.addEventListener("abort", abort, { once: true });
    const heard = {
      started: ({ memory }) => onStart?.(memory),
      resumed: ({ step, why }) => onResume?.(step, why),
      progress: ({ progress }) => onProgress?.(progress),
      checkpoint: ({ checkpoint }) => onCheckpoint?.(checkpoint),
      checkpointLost: ({ why }) => onCheckpointLost?.(why),
      finished: ({ outcome }) => settled(() => resolve(outcome)),
      stopped: () => settled(() => reject(pause?.aborted ? pause.reason : died("stopped without being asked"))),
      failed: (message) => settled(() => reject(failureOf(message))),
    } satisfies { [K in ThreadMessage["kind"]]: (message: Extract<ThreadMessage, { kind: K }>) => void };
    worker.on("message", (message: ThreadMessage) => {
      if (isSettled) return;
      try {
        (heard[message.kind] as (message: ThreadMessage) => void)(message);
      } catch (failure) {
        settled(() => reject(failure));
      }
    });
    worker.on("error", (cause) => settled(() => reject(died("threw", cause))));
    worker.on("exit", (code) => settled(() => reject(died(`exited with code ${code} before it had finished`))));
  });
}

function failureOf({ reason, metadata, message, stack }: ThreadFailure): ServiceError {
  return new ServiceError(reason ?? "INTERNAL", message, { metadata, cause: stack });
}

function died(how: string, cause?: unknown): ServiceError {
  return new ServiceError("INTERNAL", `the training thread ${how}`, { cause });
}
