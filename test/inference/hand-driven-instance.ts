import { ServiceError } from "../../lib/errors.ts";
import type { Signature, Tensor } from "../../lib/tensor.ts";
import type { Instance, RunAhead } from "../../services/inference/replicas/instance.ts";
import type { HeldTensor, Hold } from "../../services/inference/tensors/held-tensor.ts";
import { NotBegun } from "../../services/inference/worker/run-claim.ts";
import type { RunResult } from "../../services/inference/worker/thread-protocol.ts";

/** Of a run in a test where no time passes by itself. */
export const noTime = { inputMs: 0, computeMs: 0, outputMs: 0 };

/** An instance whose runs end when the test says so. */
export class HandDrivenInstance implements Instance {
  readonly signature: Signature;
  readonly isolation = "thread";
  readonly kept = [];
  readonly intraOpThreads: number;
  readonly ended: Promise<string>;
  readonly gone: Promise<void>;
  /** The names of the outputs of every run, in order. */
  readonly runs: string[] = [];
  /** That of the run that it died of. */
  killed: string | undefined;
  stopCount = 0;
  takesAhead = false;
  /** What it runs next. */
  ahead: string | undefined;
  #end!: (why: string) => void;
  #pending: Run | undefined;
  #next: Run | undefined;

  constructor(signature: Signature = { inputs: [], outputs: [] }, intraOpThreads = 1) {
    this.intraOpThreads = intraOpThreads;
    this.signature = signature;
    this.ended = new Promise((resolve) => {
      this.#end = resolve;
    });
    this.gone = this.ended.then(() => undefined);
  }

  get isBusy(): boolean {
    return this.#pending !== undefined;
  }

  run(_inputs: readonly Tensor[], [name]: readonly string[]): Promise<RunResult> {
    if (this.#pending !== undefined) throw new Error("an instance runs one job at a time");
    this.runs.push(name);
    return new Promise((resolve, reject) => {
      this.#pending = { resolve, reject };
    });
  }

  runAhead(_inputs: readonly Tensor[], [name]: readonly string[]): RunAhead {
    if (this.#pending === undefined || this.#next !== undefined) throw new Error("a busy instance takes one run ahead");
    this.ahead = name;
    const result = new Promise<RunResult>((resolve, reject) => {
      this.#next = { resolve, reject };
    });
    const own = this.#next;
    const takeBack = () => {
      if (this.#next !== own) return false;
      this.#dropNext();
      return true;
    };
    return { result, takeBack };
  }

  /** Ends the run under way with one output of the name that it wants; `hold` is that of one that it keeps. */
  async finish(hold?: Hold): Promise<void> {
    const output = { name: this.runs.at(-1)!, dataType: "BOOL" as const, shape: [0], bytes: new Uint8Array() };
    this.#taken().resolve({ outputs: [hold === undefined ? output : held(output, hold)], phases: noTime });
    await settled();
  }

  async fail(failure: unknown): Promise<void> {
    this.#taken().reject(failure);
    await settled();
  }

  poll(): void {
    // Its runs end when the test says so.
  }

  /** Ends as a thread does that dies. */
  async die(): Promise<void> {
    if (this.#pending !== undefined) this.killed = this.runs.at(-1);
    this.#pending?.reject(new ServiceError("WORKER_LOST", "it died"));
    this.#pending = undefined;
    this.#dropNext();
    this.takesAhead = false;
    this.#end("it died");
    await settled();
  }

  async stop(): Promise<void> {
    if (this.#pending !== undefined) throw new Error("a busy instance is not stopped");
    this.stopCount++;
    this.#end("it was stopped");
  }

  /** The run under way, after which the next one begins. */
  #taken(): Run {
    const run = this.#pending!;
    this.#pending = this.#next;
    if (this.ahead !== undefined) this.runs.push(this.ahead);
    this.#next = undefined;
    this.ahead = undefined;
    return run;
  }

  #dropNext(): void {
    this.#next?.reject(new NotBegun("it has not begun"));
    this.#next = undefined;
    this.ahead = undefined;
  }
}

/** A tensor that a session keeps. */
export function held(tensor: Tensor, hold: Hold): HeldTensor {
  return { ...tensor, hold };
}

/** Who hears of a run. */
interface Run {
  resolve(result: RunResult): void;
  reject(failure: unknown): void;
}

/** Lets everything happen that waits for nothing but promises. */
export function settled(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve));
}
