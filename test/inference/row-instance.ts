import { ServiceError } from "../../lib/errors.ts";
import type { Signature, Tensor } from "../../lib/tensor.ts";
import type { Instance, RunAhead } from "../../services/inference/replicas/instance.ts";
import { NotBegun } from "../../services/inference/worker/run-claim.ts";
import type { RunResult } from "../../services/inference/worker/thread-protocol.ts";
import { noTime, settled } from "./hand-driven-instance.ts";
import { bytesOf } from "./wire.ts";

/** The number that no session takes. */
export const poison = -1;

/** One run under way. */
interface Run {
  /** The rows of `x`, each with as many numbers as the request has columns. */
  readonly rows: readonly (readonly number[])[];
  resolve(result: RunResult): void;
  reject(failure: unknown): void;
}

/** An instance of a model that doubles every number of `x`, INT32 [n, columns], and whose runs end when the test says so. */
export class RowInstance implements Instance {
  readonly signature: Signature = {
    inputs: [{ name: "x", dataType: "INT32", shape: ["n", "columns"] }],
    outputs: [{ name: "y", dataType: "INT32", shape: ["n", "columns"] }],
  };
  readonly isolation = "thread";
  readonly kept = [];
  readonly intraOpThreads = 1;
  readonly ended: Promise<string>;
  readonly gone: Promise<void>;
  /** The rows of every run, in order. */
  readonly runs: Run["rows"][] = [];
  /** Those that it died of. */
  readonly killed: Run["rows"][] = [];
  /** What runs say they took. */
  phases = noTime;
  takesAhead = false;
  /** Runs that it was given while it was busy. */
  aheadCount = 0;
  #end!: (why: string) => void;
  #run: Run | undefined;
  #next: Run | undefined;

  readonly #model: (rows: Run["rows"]) => Run["rows"];

  /** `model` replaces what is made of rows; a run whose rows it refuses fails. */
  constructor(model = doubled) {
    this.#model = model;
    this.ended = new Promise((resolve) => {
      this.#end = resolve;
    });
    this.gone = this.ended.then(() => undefined);
  }

  get isBusy(): boolean {
    return this.#run !== undefined;
  }

  run([x]: readonly Tensor[]): Promise<RunResult> {
    if (this.#run !== undefined) throw new Error("an instance runs one job at a time");
    const rows = rowsOf(x);
    this.runs.push(rows);
    return new Promise((resolve, reject) => {
      this.#run = { rows, resolve, reject };
    });
  }

  runAhead([x]: readonly Tensor[]): RunAhead {
    if (this.#run === undefined || this.#next !== undefined) throw new Error("a busy instance takes one run ahead");
    this.aheadCount++;
    const result = new Promise<RunResult>((resolve, reject) => {
      this.#next = { rows: rowsOf(x), resolve, reject };
    });
    const own = this.#next;
    const takeBack = () => {
      if (this.#next !== own) return false;
      this.#dropNext();
      return true;
    };
    return { result, takeBack };
  }

  /** Ends the run under way: with a fault where a row is poisonous. */
  async finish(): Promise<void> {
    const { rows, resolve, reject } = this.#run!;
    this.#run = this.#next;
    if (this.#next !== undefined) this.runs.push(this.#next.rows);
    this.#next = undefined;
    try {
      if (rows.flat().includes(poison)) throw new ServiceError("TENSOR_INVALID", "poison");
      resolve({ outputs: [tensorOf("y", this.#model(rows))], phases: this.phases });
    } catch (refusal) {
      reject(refusal);
    }
    await settled();
  }

  poll(): void {
    // Its runs end when the test says so.
  }

  /** Ends as a thread does that dies. */
  async die(): Promise<void> {
    if (this.#run !== undefined) this.killed.push(this.#run.rows);
    this.#run?.reject(new ServiceError("WORKER_LOST", "it died"));
    this.#run = undefined;
    this.#dropNext();
    this.takesAhead = false;
    this.#end("it died");
    await settled();
  }

  async stop(): Promise<void> {
    if (this.#run !== undefined) throw new Error("a busy instance is not stopped");
    this.#end("it was stopped");
  }

  #dropNext(): void {
    this.#next?.reject(new NotBegun("it has not begun"));
    this.#next = undefined;
  }
}

/** What the model makes of rows. */
export function doubled(rows: Run["rows"]): Run["rows"] {
  return rows.map((row) => row.map((number) => 2 * number));
}

/** Rows of equal length as a tensor of INT32. */
export function tensorOf(name: string, rows: Run["rows"]): Tensor {
  const bytes = bytesOf(Int32Array.from(rows.flat()));
  return { name, dataType: "INT32", shape: [rows.length, rows[0].length], bytes };
}

/** The rows of a tensor of INT32. */
export function rowsOf({ shape: [rowCount, columnCount], bytes }: Tensor): Run["rows"] {
  const numbers = [...new Int32Array(new Uint8Array(bytes).buffer)];
  return Array.from({ length: rowCount }, (_, row) => numbers.slice(row * columnCount, (row + 1) * columnCount));
}
