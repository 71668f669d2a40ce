import { randomUUID } from "node:crypto";
import { join } from "node:path";
import { startThread } from "../../../lib/start-thread.ts";
import type { Isolation } from "../isolation/isolation.ts";
import { removeRunMark } from "../isolation/run-mark.ts";
import { newDeviceLock, releaseDevice } from "./device-lock.ts";
import type { ThreadData, ThreadReply, ThreadRequest, ThreadStart } from "./thread-protocol.ts";
import { WorkerProcess } from "./worker-process.ts";

/** The host's end of a thread that follows the thread protocol; a `Worker` is one, and so is a process with one. */
export interface WorkerThread {
  postMessage(request: ThreadRequest, transfer?: readonly ArrayBuffer[]): void;
  on(event: "message", listener: (reply: ThreadReply) => void): unknown;
  on(event: "error", listener: (failure: unknown) => void): unknown;
  on(event: "exit", listener: (code: number | string) => void): unknown;
  /** Ends it at once, whatever it does. A thread of this process has none: the runtime would end the process with it. */
  kill?(): void;
}

/** Starts a thread that loads one model, here or in a process of its own. */
export type StartWorker = (start: ThreadStart, isolation: Isolation) => WorkerThread;

/** Starts `thread.ts`; threads of this process leave their marks in the folder, which has to be there. */
export function workerStarter(marksFolder: string): StartWorker {
  return (start, isolation) =>
    isolation === "process" ? new WorkerProcess(start) : startInThread(start, join(marksFolder, randomUUID()));
}

/** Starts `thread.ts` in this process. */
export function startInThread(start: ThreadStart, markPath: string | undefined): WorkerThread {
  const workerData: ThreadData = { ...start, deviceLock, markPath };
  const thread = startThread(threadUrl, { workerData, name: "instance" });
  const { threadId } = thread;
  thread.once("exit", () => {
    releaseDevice(deviceLock, threadId);
    // The process has outlived it.
    if (markPath !== undefined) removeRunMark(markPath);
  });
  return thread as WorkerThread;
}

/** Of this process. */
const deviceLock = newDeviceLock();

const threadUrl = new URL("./thread", import.meta.url);
