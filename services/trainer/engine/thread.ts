import { parentPort, workerData } from "node:worker_threads";
import { messageOf, ServiceError } from "../../../lib/errors.ts";
import type { ThreadMessage, ThreadStart } from "./thread-protocol.ts";
import { Training } from "./training.ts";
import { checkData, checkPlan } from "./training-plan.ts";

// The entry of the training thread: one run, then it ends.
const { plan, data, stopFlag } = workerData as ThreadStart;
// The host has checked the plan: a throw here is a broken invariant, and ends the thread.
const network = checkPlan(plan);
try {
  checkData(plan, network, data);
  const training = new Training(plan, data, {
    onStart: (memory) => say({ kind: "started", memory }),
    onProgress: (progress) => say({ kind: "progress", progress }),
    isStopped: () => Atomics.load(stopFlag, 0) !== 0,
  });
  const outcome = await training.run();
  say(outcome === "stopped" ? { kind: "stopped" } : { kind: "finished", outcome });
} catch (failure) {
  const { reason, metadata } = failure instanceof ServiceError ? failure : {};
  const stack = failure instanceof Error ? failure.stack : undefined;
  say({ kind: "failed", reason, metadata, message: messageOf(failure), stack });
}

function say(message: ThreadMessage): void {
  parentPort?.postMessage(message);
}
