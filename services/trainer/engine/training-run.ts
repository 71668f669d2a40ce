import { setTimeout as waited } from "node:timers/promises";
import type { Worker } from "node:worker_threads";
import { ServiceError } from "../../../lib/errors.ts";
import { startThread } from "../../../lib/start-thread.ts";
import type { ThreadMessage, ThreadStart, TrainingOutcome, TrainingProgress } from "./thread-protocol.ts";
import { checkData, checkPlan, type TrainingData, type TrainingPlan } from "./training-plan.ts";

export interface TrainingRunOptions {
  /** Called in order, once per epoch and at most every 250 ms within one. A throw ends the run with its error. */
  readonly onProgress?: (progress: TrainingProgress) => void;
  /** Stops the run; the promise then rejects with the signal's reason, within {@link stopGraceMs}. */
  readonly signal?: AbortSignal;
}

/** How long an aborted run waits for its thread to leave the runtime before it is given up on. */
const stopGraceMs = 500;

/**
 * Trains a network in a thread of its own and gives the trained model. The thread never outlives the promise by more
 * than one call of the runtime.
 *
 * Rejects with SPEC_INVALID or DATASET_INVALID where plan or data fail a check, with TRAINING_DIVERGED at the first loss
 * that is not finite, with the signal's reason on an abort, and with INTERNAL if the thread dies.
 */
export async function runTraining(
  plan: TrainingPlan,
  data: TrainingData,
  options: TrainingRunOptions = {},
): Promise<TrainingOutcome> {
  checkData(plan, checkPlan(plan), data);
  options.signal?.throwIfAborted();
  const stopFlag = new Int32Array(new SharedArrayBuffer(4));
  const workerData: ThreadStart = { plan, data, stopFlag };
  const worker = startThread(new URL("./thread", import.meta.url), { workerData, name: "training" });
  const exited = new Promise<void>((resolve) => worker.once("exit", () => resolve()));
  try {
    return await outcomeOf(worker, options);
  } finally {
    Atomics.store(stopFlag, 0, 1);
    await Promise.race([exited, waited(stopGraceMs, undefined, { ref: false })]);
    // A call of the runtime cannot be interrupted: what has not ended by now ends with its call.
    worker.terminate().catch(() => {});
  }
}

function outcomeOf(worker: Worker, { onProgress, signal }: TrainingRunOptions): Promise<TrainingOutcome> {
  return new Promise((resolve, reject) => {
    const abort = () => reject(signal?.reason);
    signal?.addEventListener("abort", abort, { once: true });
    const settled = (settle: () => void) => {
      signal?.removeEventListener("abort", abort);
      settle();
    };
    worker.on("message", (message: ThreadMessage) => {
      try {
        if (message.kind === "progress") onProgress?.(message.progress);
        else if (message.kind === "finished") settled(() => resolve(message.outcome));
        else settled(() => reject(failureOf(message)));
      } catch (failure) {
        settled(() => reject(failure));
      }
    });
    worker.on("error", (cause) => settled(() => reject(died("threw", cause))));
    worker.on("exit", (code) => settled(() => reject(died(`exited with code ${code} before it had finished`))));
  });
}

function failureOf({ reason, message, stack }: Extract<ThreadMessage, { kind: "failed" }>): ServiceError {
  return new ServiceError(reason ?? "INTERNAL", message, { cause: stack });
}

function died(how: string, cause?: unknown): ServiceError {
  return new ServiceError("INTERNAL", `the training thread ${how}`, { cause });
}
