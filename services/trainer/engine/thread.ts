import { parentPort, workerData } from "node:worker_threads";
import { messageOf, ServiceError } from "../../../lib/errors.ts";
import { readCheckpoint } from "./checkpoint-file.ts";
import type { ThreadMessage, ThreadStart } from "./thread-protocol.ts";
import { Training } from "./training.ts";
import { checkData, checkPlan } from "./training-plan.ts";
import type { TrainingState } from "./training-state.ts";
import { wishes } from "./wish.ts";

// The entry of the training thread: one run, then it ends.
const { plan, data, wish, checkpoints, resumeFrom } = workerData as ThreadStart;
// The host has checked the plan: a throw here is a broken invariant, and ends the thread.
const network = checkPlan(plan);
try {
  checkData(plan, network, data);
  const training = new Training(plan, data, {
    onStart: (memory) => say({ kind: "started", memory }),
    onProgress: (progress) => say({ kind: "progress", progress }),
    onCheckpoint: (checkpoint) => say({ kind: "checkpoint", checkpoint }),
    onCheckpointLost: (why) => say({ kind: "checkpointLost", why }),
    wish: () => wishes[Atomics.load(wish, 0)]!,
  });
  const outcome = await training.run(checkpoints, resumeFrom === undefined ? undefined : stateIn(resumeFrom, training));
  say(outcome === "stopped" ? { kind: "stopped" } : { kind: "finished", outcome });
} catch (failure) {
  const { reason, metadata } = failure instanceof ServiceError ? failure : {};
  const stack = failure instanceof Error ? failure.stack : undefined;
  say({ kind: "failed", reason, metadata, message: messageOf(failure), stack });
}

/** The state in a file, if it is one of this training. */
function stateIn(path: string, training: Training): TrainingState | undefined {
  try {
    const state = readCheckpoint(path);
    if (!training.fits(state)) throw new Error("it is a state of another training");
    say({ kind: "resumed", step: state.stepsDone });
    return state;
  } catch (failure) {
    say({ kind: "resumed", step: 0, why: messageOf(failure) });
    return undefined;
  }
}

function say(message: ThreadMessage): void {
  parentPort?.postMessage(message);
}
