import { parentPort, workerData } from "node:worker_threads";
import { assert } from "../../../lib/errors.ts";
import { exceedingSignal } from "./protocol.ts";

/** What a guard is started with. */
export interface GuardStart {
  readonly parentId: number;
  readonly memoryBytesMax: number;
}

// The entry of a validator's guard: a thread that ends the process, whose main thread a model may block for ever, when its
// parent has gone, and when it holds more memory than it may.
assert(parentPort !== null, "this file is run as a thread");
const { parentId, memoryBytesMax } = workerData as GuardStart;
setInterval(() => {
  if (process.ppid !== parentId) process.kill(process.pid, "SIGKILL");
  if (process.memoryUsage.rss() > memoryBytesMax) process.kill(process.pid, exceedingSignal);
  // Often enough to see a process that fills memory as fast as it can.
}, 50);
parentPort.postMessage("watching");
