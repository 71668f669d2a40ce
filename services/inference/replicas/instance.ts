import type { Clock } from "../../../lib/clock.ts";
import { assert, messageOf, ServiceError } from "../../../lib/errors.ts";
import type { Signature, Tensor } from "../../../lib/tensor.ts";
import type { Isolation } from "../isolation/isolation.ts";
import type { RunResult, ThreadFault, ThreadReply } from "../worker/thread-protocol.ts";
import type { WorkerThread } from "../worker/worker-thread.ts";

/** One session in a thread of its own. It runs one job at a time. */
export interface Instance {
  readonly signature: Signature;
  readonly isolation: Isolation;
  /** Threads of the runtime inside one operator. */
  readonly intraOpThreads: number;
  /**
   * Gives the named outputs. The inputs' buffers are transferred, with all that is in them: they are empty afterwards.
   *
   * Rejects with the fault of the session, with WORKER_LOST once the instance is lost, and with {@link SessionOverdue} where the run
   * does not come back within `msMax`, or what is set; the instance is lost then.
   */
  run(inputs: readonly Tensor[], outputNames: readonly string[], msMax?: number): Promise<RunResult>;
  /** Hears of what has ended by now before the event loop comes to it. */
  poll(): void;
  /** Settles when the instance has ended or is lost, with why. */
  readonly ended: Promise<string>;
  /** Settles when its thread has ended. One that does not come back from a run is lost long before, and may be there for ever. */
  readonly gone: Promise<void>;
  /**
   * Finishes the job under way, frees the native memory and ends the thread. One that is lost is not waited for, and is what does not
   * end within the time that a run may take.
   */
  stop(): Promise<void>;
}

/** A session has not come back in time, from its load or from a run. Its process was ended, or its thread left behind. */
export class SessionOverdue extends ServiceError {
  /** Settles when the thread has ended, if ever. */
  readonly gone: Promise<void>;

  constructor(why: string, gone: Promise<void>) {
    super("WORKER_LOST", why);
    this.gone = gone;
  }
}

/** How an instance is kept. */
export interface InstanceOptions {
  /** How long it may take to load, in milliseconds. */
  readonly loadMsMax: number;
  /** How long each run may take, in milliseconds. */
  readonly runMsMax: number;
  readonly clock: Clock;
  /** Called when a thread that does not come back, and cannot be ended, is left behind. */
  readonly onLeftBehind: (why: string) => void;
}

/**
 * Loads a model into a new thread. Rejects with the fault of loading, with WORKER_LOST where the thread is lost over it, and with
 * {@link SessionOverdue} where that is because it does not come back.
 */
export function startInstance(worker: WorkerThread, options: InstanceOptions): Promise<Instance> {
  const instance = new ThreadInstance(worker, options);
  return instance.loaded;
}

type LoadedReply = Extract<ThreadReply, { readonly kind: "loaded" }>;

interface Pending {
  readonly runId: number;
  resolve(result: RunResult): void;
  reject(failure: unknown): void;
  readonly cancelTimer: () => void;
}

class ThreadInstance implements Instance {
  readonly isolation: Isolation;
  readonly loaded: Promise<Instance>;
  readonly ended: Promise<string>;
  readonly gone: Promise<void>;
  readonly #worker: WorkerThread;
  readonly #options: InstanceOptions;
  /** In the order of their answers. */
  readonly #pending: Pending[] = [];
  #loadedAs: LoadedReply | undefined;
  #runCount = 0;
  #failure: unknown;
  #end: string | undefined;
  #isOverdue = false;
  #settleEnded!: (why: string) => void;

  constructor(worker: WorkerThread, options: InstanceOptions) {
    this.#worker = worker;
    this.#options = options;
    this.isolation = worker.kill === undefined ? "thread" : "process";
    this.ended = new Promise((resolve) => {
      this.#settleEnded = resolve;
    });
    this.gone = new Promise((resolve) => {
      worker.on("error", (failure) => {
        this.#failure = failure;
      });
      worker.on("exit", (code) => {
        this.#lose(this.#endOf(code), workerLost);
        resolve();
      });
    });
    const cancelTimer = options.clock.after(options.loadMsMax, () => this.#giveUp(options.loadMsMax));
    this.loaded = new Promise<Instance>((resolve, reject) => {
      worker.on("message", (reply) => this.#receive(reply, resolve, reject));
      void this.ended.then((why) => {
        const text = `${why} while it was loading the model`;
        reject(this.#isOverdue ? new SessionOverdue(text, this.gone) : new ServiceError("WORKER_LOST", text));
      });
    }).finally(cancelTimer);
  }

  get signature(): Signature {
    return this.#loadedReply.signature;
  }

  get intraOpThreads(): number {
    return this.#loadedReply.intraOpThreads;
  }

  get #loadedReply(): LoadedReply {
    assert(this.#loadedAs !== undefined, "an instance is used only once it is loaded");
    return this.#loadedAs;
  }

  run(
    inputs: readonly Tensor[],
    outputNames: readonly string[],
    msMax: number = this.#options.runMsMax,
  ): Promise<RunResult> {
    const runId = this.#runCount++;
    return new Promise((resolve, reject) => {
      if (this.#end !== undefined) throw workerLost(this.#end);
      const buffers = new Set(inputs.map(({ bytes }) => bytes.buffer as ArrayBuffer));
      this.#worker.postMessage({ kind: "run", runId, inputs, outputNames }, [...buffers]);
      const cancelTimer = this.#options.clock.after(msMax, () => this.#giveUp(msMax));
      this.#pending.push({ runId, resolve, reject, cancelTimer });
    });
  }

  poll(): void {
    this.#worker.poll?.();
  }

  async stop(): Promise<void> {
    if (this.#end !== undefined) return;
    this.#worker.postMessage({ kind: "stop" });
    const { clock, runMsMax } = this.#options;
    const cancelTimer = clock.after(runMsMax, () => this.#giveUp(runMsMax));
    await this.ended;
    cancelTimer();
  }

  #receive(reply: ThreadReply, resolve: (instance: Instance) => void, reject: (failure: unknown) => void): void {
    // What it was asked for has failed long since.
    if (this.#end !== undefined) return;
    switch (reply.kind) {
      case "loaded":
        this.#loadedAs = reply;
        resolve(this);
        return;
      case "refused":
        reject(faultOf(reply));
        // Nobody waits for it to end by itself.
        this.#worker.kill?.();
        return;
      case "ran":
        this.#taken(reply.runId).resolve(reply);
        return;
      case "failed":
        this.#taken(reply.runId).reject(faultOf(reply));
    }
  }

  #taken(runId: number): Pending {
    const pending = this.#pending.shift();
    assert(pending?.runId === runId, "a thread answers every run once, in their order");
    pending.cancelTimer();
    return pending;
  }

  /** The thread does not come back. It ends now, or else after its run. */
  #giveUp(msMax: number): void {
    const why = `the ${this.isolation} of the session has not come back within ${msMax} ms`;
    this.#isOverdue = true;
    this.#lose(why, () => new SessionOverdue(why, this.gone));
    if (this.#worker.kill !== undefined) {
      this.#worker.kill();
      return;
    }
    this.#worker.postMessage({ kind: "stop" });
    this.#options.onLeftBehind(why);
  }

  #lose(why: string, faultFor: (why: string) => ServiceError): void {
    if (this.#end !== undefined) return;
    this.#end = why;
    for (const { reject, cancelTimer } of this.#pending.splice(0)) {
      cancelTimer();
      reject(faultFor(why));
    }
    this.#settleEnded(why);
  }

  #endOf(code: number | string): string {
    const why = this.#failure === undefined ? `ended with ${code}` : `ended: ${messageOf(this.#failure)}`;
    return `the ${this.isolation} of the session ${why}`;
  }
}

function faultOf({ reason, message, metadata }: ThreadFault): ServiceError {
  return new ServiceError(reason, message, { metadata });
}

function workerLost(why: string): ServiceError {
  return new ServiceError("WORKER_LOST", `${why}; the request may be sent again`);
}
