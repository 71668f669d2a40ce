import type { Clock } from "../../../lib/clock.ts";
import { assert, messageOf, ServiceError } from "../../../lib/errors.ts";
import type { Signature, Tensor } from "../../../lib/tensor.ts";
import { deadlinePassed } from "../batching/batcher.ts";
import type { Isolation } from "../isolation/isolation.ts";
import { newRunClaim, RunClaim } from "../worker/run-claim.ts";
import type { RunAheadTerms, RunResult, ThreadFault, ThreadReply } from "../worker/thread-protocol.ts";
import type { WorkerThread } from "../worker/worker-thread.ts";
import { type GivenRun, GivenRuns } from "./given-runs.ts";
import { Holdings } from "./holdings.ts";

/** One session in a thread of its own. It runs one job at a time, in the order in which they are given. */
export interface Instance {
  readonly signature: Signature;
  readonly isolation: Isolation;
  /** Threads of the runtime inside one operator. */
  readonly intraOpThreads: number;
  /** The outputs that stay on its device where they are wanted by their `heldName`. */
  readonly kept: readonly string[];
  /**
   * Gives the named outputs. The inputs' buffers are transferred, with all that is in them: they are empty afterwards.
   *
   * Rejects with the fault of the session, with WORKER_LOST once the instance is lost, and with {@link SessionOverdue} where the run
   * does not come back within `msMax`, or what is set; the instance is lost then.
   */
  run(inputs: readonly Tensor[], outputNames: readonly string[], msMax?: number): Promise<RunResult>;
  /** Whether a run may be given to it while it is busy: not once it is lost, nor in another process, from which none can be taken back. */
  readonly takesAhead: boolean;
  /** Gives it the run that comes after the one under way, so that its thread need not wait for the event loop in between. */
  runAhead(inputs: readonly Tensor[], outputNames: readonly string[], deadlineMs: number): RunAhead;
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

/** A run that a busy instance has been given. */
export interface RunAhead {
  /**
   * As of `Instance.run`; rejects with `NotBegun` where it was taken back, or the instance was lost before it had begun, and with
   * DEADLINE_EXCEEDED where it was not run since its deadline had passed.
   */
  readonly result: Promise<RunResult>;
  /** Takes it back, and answers whether it could: it has not begun. */
  takeBack(): boolean;
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

/** What a thread is given, and who hears of it. */
interface Run extends Pick<GivenRun, "msMax" | "resolve" | "reject"> {
  readonly inputs: readonly Tensor[];
  readonly outputNames: readonly string[];
  readonly ahead?: RunAheadTerms;
}

class ThreadInstance implements Instance {
  readonly isolation: Isolation;
  readonly loaded: Promise<Instance>;
  readonly ended: Promise<string>;
  readonly gone: Promise<void>;
  readonly #worker: WorkerThread;
  readonly #options: InstanceOptions;
  readonly #runs: GivenRuns;
  readonly #holdings: Holdings;
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
    this.#runs = new GivenRuns(options.clock, (msMax) => this.#giveUp(msMax));
    this.#holdings = new Holdings((heldId) => worker.postMessage({ kind: "free", heldId }));
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

  get kept(): readonly string[] {
    return this.#loadedReply.kept;
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
    return new Promise((resolve, reject) => this.#give({ inputs, outputNames, msMax, resolve, reject }));
  }

  get takesAhead(): boolean {
    return this.isolation === "thread" && this.#end === undefined;
  }

  runAhead(inputs: readonly Tensor[], outputNames: readonly string[], deadlineMs: number): RunAhead {
    const { runMsMax: msMax } = this.#options;
    const ahead = { claim: newRunClaim(), deadlineMs };
    let given: GivenRun | undefined;
    const result = new Promise<RunResult>((resolve, reject) => {
      given = this.#give({ inputs, outputNames, msMax, ahead, resolve, reject });
    });
    return { result, takeBack: () => given !== undefined && this.#runs.takeBack(given) };
  }

  poll(): void {
    this.#worker.poll?.();
  }

  async stop(): Promise<void> {
    if (this.#end !== undefined) return;
    this.#worker.postMessage({ kind: "stop" });
    // The session frees by itself what it still keeps.
    this.#holdings.lose();
    const { clock, runMsMax } = this.#options;
    const cancelTimer = clock.after(runMsMax, () => this.#giveUp(runMsMax));
    await this.ended;
    cancelTimer();
  }

  #give({ inputs: whole, outputNames, msMax, ahead, resolve, reject }: Run): GivenRun {
    if (this.#end !== undefined) throw workerLost(this.#end);
    const inputs = whole.map((input) => this.#holdings.given(input));
    const runId = this.#runCount++;
    const buffers = new Set(inputs.map(({ bytes }) => bytes.buffer as ArrayBuffer));
    this.#worker.postMessage({ kind: "run", runId, inputs, outputNames, ...(ahead && { ahead }) }, [...buffers]);
    const run = { runId, msMax, claim: ahead && new RunClaim(ahead.claim), resolve, reject };
    this.#runs.add(run);
    return run;
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
        this.#runs.answered(reply.runId).resolve({
          outputs: reply.outputs.map((output) => this.#holdings.received(output)),
          phases: reply.phases,
        });
        return;
      case "failed":
        this.#runs.answered(reply.runId).reject(faultOf(reply));
        return;
      case "late":
        this.#runs.answered(reply.runId).reject(deadlinePassed());
    }
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
    this.#holdings.lose();
    this.#runs.rejectAll(faultFor(why));
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
