import { randomUUID } from "node:crypto";
import { join } from "node:path";
import { MessageChannel, type MessagePort, receiveMessageOnPort } from "node:worker_threads";
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
  /** Takes what it has said by now, which would otherwise be heard at the next turn of the event loop. Another process has none. */
  poll?(): void;
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
  const { port1: replies, port2 } = new MessageChannel();
  const workerData: ThreadData = { ...start, deviceLock, markPath, replies: port2 };
  const thread = startThread(threadUrl, { workerData, transferList: [port2], name: "instance" });
  const { threadId } = thread;
  thread.once("exit", () => {
    releaseDevice(deviceLock, threadId);
    // The process has outlived it.
    if (markPath !== undefined) removeRunMark(markPath);
  });
  return new PolledThread(thread, replies);
}

/** What a `Worker` is here. */
interface Thread {
  postMessage(request: ThreadRequest, transfer: readonly ArrayBuffer[]): void;
  on(event: "error", listener: (failure: Error) => void): unknown;
  on(event: "exit", listener: (code: number) => void): unknown;
}

/** A thread whose replies need not wait for the event loop. */
export class PolledThread implements WorkerThread {
  readonly #thread: Thread;
  readonly #replies: MessagePort;
  #hear: (reply: ThreadReply) => void = () => undefined;

  constructor(thread: Thread, replies: MessagePort) {
    this.#thread = thread;
    this.#replies = replies;
    replies.on("message", (reply: ThreadReply) => this.#hear(reply));
  }

  postMessage(request: ThreadRequest, transfer: readonly ArrayBuffer[] = []): void {
    this.#thread.postMessage(request, transfer);
  }

  on(event: "message" | "error" | "exit", listener: (value: never) => void): void {
    if (event === "message") this.#hear = listener as (reply: ThreadReply) => void;
    else if (event === "error") this.#thread.on("error", listener as (failure: unknown) => void);
    else {
      this.#thread.on("exit", (code) => {
        // Its last words come before its end.
        this.poll();
        this.#replies.close();
        (listener as (code: number) => void)(code);
      });
    }
  }

  poll(): void {
    for (;;) {
      const received = receiveMessageOnPort(this.#replies);
      if (received === undefined) return;
      this.#hear(received.message as ThreadReply);
    }
  }
}

/** Of this process. */
const deviceLock = newDeviceLock();

const threadUrl = new URL("./thread", import.meta.url);
