import type { Clock } from "../../../lib/clock.ts";
import { assert } from "../../../lib/errors.ts";
import { NotBegun, type RunClaim } from "../worker/run-claim.ts";
import type { RunResult } from "../worker/thread-protocol.ts";

/** A run that a thread has been given. */
export interface GivenRun {
  readonly runId: number;
  /** How long it may take, in milliseconds. */
  readonly msMax: number;
  /** Of one that was given ahead. */
  readonly claim: RunClaim | undefined;
  resolve(result: RunResult): void;
  reject(failure: unknown): void;
}

/** The runs that a thread has been given and has not answered, in their order; the time of each is counted while it is the first. */
export class GivenRuns {
  readonly #clock: Clock;
  readonly #onOverdue: (msMax: number) => void;
  readonly #runs: GivenRun[] = [];
  #cancelTimer: () => void = () => undefined;

  constructor(clock: Clock, onOverdue: (msMax: number) => void) {
    this.#clock = clock;
    this.#onOverdue = onOverdue;
  }

  add(run: GivenRun): void {
    this.#runs.push(run);
    if (this.#runs.length === 1) this.#watchFirst();
  }

  /** Takes out the one that the thread has answered. */
  answered(runId: number): GivenRun {
    const run = this.#runs.shift();
    assert(run?.runId === runId, "a thread answers every run once, in their order");
    this.#watchFirst();
    return run;
  }

  /** Takes one back that was given ahead, and answers whether it could: it has not begun, and is here still. */
  takeBack(run: GivenRun): boolean {
    const index = this.#runs.indexOf(run);
    if (index < 0 || !run.claim!.take()) return false;
    this.#runs.splice(index, 1);
    this.#watchFirst();
    run.reject(new NotBegun("the run was taken back"));
    return true;
  }

  /** Takes all out and fails them: those that the thread had begun. */
  rejectAll(failure: unknown): void {
    this.#cancelTimer();
    for (const { claim, reject } of this.#runs.splice(0)) {
      reject(claim?.take() ? new NotBegun("the thread was lost before the run had begun") : failure);
    }
  }

  #watchFirst(): void {
    this.#cancelTimer();
    const [first] = this.#runs;
    if (first !== undefined) this.#cancelTimer = this.#clock.after(first.msMax, () => this.#onOverdue(first.msMax));
  }
}
