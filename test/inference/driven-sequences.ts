import { ServiceError } from "../../lib/errors.ts";
import type { Signature, Tensor } from "../../lib/tensor.ts";
import { deadlinePassed } from "../../services/inference/batching/batcher.ts";
import type { CallLimits } from "../../services/inference/batching/pending-request.ts";
import { Holdings } from "../../services/inference/replicas/holdings.ts";
import { ModelRunner, type ModelRunnerOptions } from "../../services/inference/replicas/model-runner.ts";
import type { InferenceJob } from "../../services/inference/tensors/decode.ts";
import { heldName } from "../../services/inference/tensors/held-tensor.ts";
import { ManualClock } from "../manual-clock.ts";
import { loneRequest, runnerOptions } from "./bare-runner.ts";
import { settled } from "./hand-driven-instance.ts";
import { rowsOf, tensorOf } from "./row-instance.ts";

/** A run under way, of the model `y` = `next` = `state` + `x`, INT32 [n, 1]. */
interface Run {
  readonly x: number;
  finish(failure?: ServiceError): void;
}

/** What a test sends. */
export interface Sent {
  readonly x: number;
  readonly caller: AbortController;
  /** The sum, the reason of the fault, or undefined before. */
  outcome: number | string | undefined;
}

const spec = (name: string) => ({ name, dataType: "INT32" as const, shape: ["n", 1] });
const accumulator: Signature = {
  inputs: [spec("x"), spec("state")],
  outputs: [spec("y"), spec("next")],
};

/** What an accumulator keeps. */
export const accumulated = {
  inputName: "state",
  outputName: "next",
  initialShape: [],
  initialRaw: new Uint8Array(),
};

/** A runner of a stateful model whose runs end when the test says so. Its states are here, or kept by a session. */
export class DrivenSequences {
  readonly clock = new ManualClock();
  /** By the order in which they began. */
  readonly runs: Run[] = [];
  /** The `x` of every run, in the order in which they began. */
  readonly begun: number[] = [];
  readonly runner: ModelRunner;
  /** What the session has freed, by number, in order. */
  readonly freed: number[] = [];
  /** What was lost with sessions, by number. */
  readonly lost: number[] = [];
  /** What sessions have kept, by number. */
  readonly keptSums: number[] = [];
  readonly #holdings = new Holdings((heldId) => this.freed.push(heldId));
  #nextX = 1;

  constructor(change: Partial<ModelRunnerOptions> = {}) {
    const pool = { run: (job: InferenceJob, limits: CallLimits) => this.#run(job, limits) };
    const options = runnerOptions({ states: [accumulated], clock: this.clock, ...change });
    this.runner = new ModelRunner(pool, accumulator, options);
  }

  /** Sends a request that adds a number of its own. */
  send(id: string, step: { starts?: boolean; ends?: boolean; timeoutMs?: number } = {}): Sent {
    const { starts = false, ends = false, timeoutMs = Infinity } = step;
    const sent: Sent = { x: this.#nextX++, caller: new AbortController(), outcome: undefined };
    const x = tensorOf("x", [[sent.x]]);
    const request = loneRequest({ inputs: [x], outputNames: ["y"], inputBytes: 4, sequence: { id, starts, ends } });
    const limits = { signal: sent.caller.signal, deadlineMs: this.clock.now() + timeoutMs };
    this.runner.run(request, limits).then(
      ([y]) => {
        sent.outcome = rowsOf(y)[0][0];
      },
      (fault: ServiceError) => {
        sent.outcome = fault.reason;
      },
    );
    return sent;
  }

  /** Ends the run of a request, with a fault where there is one. */
  async finish({ x }: Sent, failure?: ServiceError): Promise<void> {
    this.runs.find((run) => run.x === x)!.finish(failure);
    await settled();
  }

  /** The session is lost with all that it keeps, and another one takes its place; the runner hears of it a little later. */
  async loseSession(): Promise<void> {
    for (const run of [...this.runs]) run.finish(new ServiceError("WORKER_LOST", "lost"));
    this.#holdings.lose();
    this.lost.push(...[...this.keptSums.keys()].filter((heldId) => ![...this.freed, ...this.lost].includes(heldId)));
    await settled();
    this.runner.endLostSequences();
  }

  isRunning({ x }: Sent): boolean {
    return this.runs.some((run) => run.x === x);
  }

  #run({ inputs, outputNames }: InferenceJob, { signal, deadlineMs }: CallLimits): Promise<readonly Tensor[]> {
    const numberOf = (name: string) => {
      const { heldId, ...input } = this.#holdings.given(inputs.find((given) => given.name === name)!);
      if (heldId === undefined) return rowsOf(input)[0][0];
      if (this.freed.includes(heldId)) throw new Error(`${heldId} was freed`);
      return this.keptSums[heldId];
    };
    const x = numberOf("x");
    const sum = numberOf("state") + x;
    this.begun.push(x);
    return new Promise((resolve, reject) => {
      const leave = () => this.runs.splice(this.runs.indexOf(run), 1);
      const run: Run = {
        x,
        finish: (failure) => {
          leave();
          if (failure !== undefined) reject(failure);
          else resolve(outputNames.map((name) => this.#given(name, sum)));
        },
      };
      this.runs.push(run);
      const giveUp = (why: ServiceError) => {
        if (this.runs.includes(run)) run.finish(why);
      };
      signal.addEventListener("abort", () => giveUp(signal.reason as ServiceError));
      this.clock.after(deadlineMs - this.clock.now(), () => giveUp(deadlinePassed()));
    });
  }
  #given(name: string, sum: number): Tensor {
    if (name !== heldName("next")) return tensorOf(name, [[sum]]);
    const heldId = this.keptSums.push(sum) - 1;
    return this.#holdings.received({ name, dataType: "INT32", shape: [1, 1], bytes: new Uint8Array(), heldId });
  }
}
