import type { WorkerOptions } from "node:worker_threads";
import { startThread } from "../../../lib/start-thread.ts";
import type { ThreadReply, ThreadRequest, ThreadStart } from "./thread-protocol.ts";

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
export const startWorker: StartWorker = (start) => startThread(threadUrl, optionsOf(start)) as WorkerThread;

const threadUrl = new URL("./thread", import.meta.url);

function optionsOf(workerData: ThreadStart): WorkerOptions {
  return { workerData, name: "instance" };
}
