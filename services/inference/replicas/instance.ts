import { assert, messageOf, ServiceError } from "../../../lib/errors.ts";
import type { Signature, Tensor } from "../../../lib/tensor.ts";
import type { RunResult, ThreadFault, ThreadReply, ThreadStart } from "../worker/thread-protocol.ts";
import type { StartWorker, WorkerThread } from "../worker/worker-thread.ts";

/** One session in a thread of its own. It runs one job at a time. */
export interface Instance {
  readonly signature: Signature;
  /**
   * Gives the named outputs. The inputs' buffers are transferred, with all that is in them: they are empty afterwards.
   *
   * Rejects with the fault of the session, or with WORKER_LOST once the thread has ended.
   */
  run(inputs: readonly Tensor[], outputNames: readonly string[]): Promise<RunResult>;
  /** Settles when the thread has ended, with why. */
  readonly ended: Promise<string>;
  /** Finishes the job under way, frees the native memory and ends the thread. */
  stop(): Promise<void>;
}

/** Loads a model into a new thread. Rejects with the fault of loading, or with WORKER_LOST where the thread dies of it. */
export function startInstance(startWorker: StartWorker, start: ThreadStart): Promise<Instance> {
  const instance = new ThreadInstance(startWorker(start));
  return instance.loaded;
}

interface Pending {
  resolve(result: RunResult): void;
  reject(failure: unknown): void;
}

class ThreadInstance implements Instance {
  readonly loaded: Promise<Instance>;
  readonly ended: Promise<string>;
  readonly #worker: WorkerThread;
  readonly #pending = new Map<number, Pending>();
  #signature: Signature | undefined;
  #runCount = 0;
  #failure: unknown;
  #end: string | undefined;

  constructor(worker: WorkerThread) {
    this.#worker = worker;
    this.ended = new Promise((resolve) => {
      worker.on("error", (failure) => {
        this.#failure = failure;
      });
      worker.on("exit", (code) => resolve(this.#lost(code)));
    });
    this.loaded = new Promise((resolve, reject) => {
      worker.on("message", (reply) => this.#receive(reply, resolve, reject));
      void this.ended.then((why) => reject(new ServiceError("WORKER_LOST", `${why} while it was loading the model`)));
    });
  }

  get signature(): Signature {
    assert(this.#signature !== undefined, "an instance is used only once it is loaded");
    return this.#signature;
  }

  run(inputs: readonly Tensor[], outputNames: readonly string[]): Promise<RunResult> {
    const runId = this.#runCount++;
    return new Promise((resolve, reject) => {
      if (this.#end !== undefined) throw workerLost(this.#end);
      const buffers = new Set(inputs.map(({ bytes }) => bytes.buffer as ArrayBuffer));
      this.#worker.postMessage({ kind: "run", runId, inputs, outputNames }, [...buffers]);
      this.#pending.set(runId, { resolve, reject });
    });
  }

  async stop(): Promise<void> {
    this.#worker.postMessage({ kind: "stop" });
    await this.ended;
  }

  #receive(reply: ThreadReply, resolve: (instance: Instance) => void, reject: (failure: unknown) => void): void {
    switch (reply.kind) {
      case "loaded":
        this.#signature = reply.signature;
        resolve(this);
        return;
      case "refused":
        reject(faultOf(reply));
        return;
      case "ran":
        this.#taken(reply.runId).resolve(reply);
        return;
      case "failed":
        this.#taken(reply.runId).reject(faultOf(reply));
    }
  }

  #taken(runId: number): Pending {
    const pending = this.#pending.get(runId);
    assert(pending !== undefined, "a thread answers every run once");
    this.#pending.delete(runId);
    return pending;
  }

  #lost(code: number): string {
    const why = this.#failure === undefined ? `ended with code ${code}` : `ended: ${messageOf(this.#failure)}`;
    this.#end = `the thread of the session ${why}`;
    for (const { reject } of this.#pending.values()) reject(workerLost(this.#end));
    this.#pending.clear();
    return this.#end;
  }
}

function faultOf({ reason, message, metadata }: ThreadFault): ServiceError {
  return new ServiceError(reason, message, { metadata });
}

function workerLost(why: string): ServiceError {
  return new ServiceError("WORKER_LOST", `${why}; the request may be sent again`);
}
