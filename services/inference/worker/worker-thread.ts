import { startThread } from "../../../lib/start-thread.ts";
import { newDeviceLock, releaseDevice } from "./device-lock.ts";
import type { ThreadData, ThreadReply, ThreadRequest, ThreadStart } from "./thread-protocol.ts";

/** The host's end of a thread that follows the thread protocol; a `Worker` is one. */
export interface WorkerThread {
  postMessage(request: ThreadRequest, transfer?: readonly ArrayBuffer[]): void;
  on(event: "message", listener: (reply: ThreadReply) => void): unknown;
  on(event: "error", listener: (failure: unknown) => void): unknown;
  on(event: "exit", listener: (code: number) => void): unknown;
}

/** Starts a thread that loads one model. */
export type StartWorker = (start: ThreadStart) => WorkerThread;

/** Starts `thread.ts`. */
export const startWorker: StartWorker = (start) => {
  const workerData: ThreadData = { ...start, deviceLock };
  const thread = startThread(threadUrl, { workerData, name: "instance" });
  const { threadId } = thread;
  thread.once("exit", () => releaseDevice(deviceLock, threadId));
  return thread as WorkerThread;
};

/** Of this process. */
const deviceLock = newDeviceLock();

const threadUrl = new URL("./thread", import.meta.url);
