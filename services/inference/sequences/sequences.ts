import type { Clock } from "../../../lib/clock.ts";
import { ServiceError } from "../../../lib/errors.ts";
import type { Tensor } from "../../../lib/tensor.ts";
import { deadlinePassed } from "../batching/batcher.ts";
import type { Occupancy, Weighed } from "../batching/occupancy.ts";
import type { CallLimits } from "../batching/pending-request.ts";
import { rowCountOf } from "../batching/rows.ts";
import type { InferenceJob } from "../tensors/decode.ts";
import { bytesOf, letGoAll } from "../tensors/held-tensor.ts";
import type { SequenceStep } from "../tensors/parameters.ts";
import { quoted, tensorFault } from "../tensors/tensor-fault.ts";
import { Sequence } from "./sequence.ts";
import type { SequenceBounds } from "./sequence-settings.ts";
import type { StateMemory } from "./state-memory.ts";
import type { StatePlan } from "./state-plan.ts";

/** What the sequences of a replica are made of. */
export interface SequencesOptions {
  /** The name that faults give the model. */
  readonly model: string;
  readonly plan: StatePlan;
  readonly bounds: SequenceBounds;
  /** What the states of the whole node take. */
  readonly memory: StateMemory;
  /** Where requests count that wait for the one before. */
  readonly occupancies: readonly Occupancy[];
  /** Runs a job that has the states among its inputs. */
  readonly run: (job: InferenceJob, limits: CallLimits) => Promise<readonly Tensor[]>;
  /** Called when none is kept any longer. */
  readonly onEnd: () => void;
  readonly clock: Clock;
}

/** Sequences, and the size of their states. */
export interface SequenceUsage {
  readonly count: number;
  readonly bytes: number;
}

/** The right to run jobs on the state of a sequence, until it is left. */
export interface Turn {
  /**
   * Runs a job on the states, which move on exactly if this gives outputs. Where they are not needed `afterwards`, they are not
   * kept. Rejects as `run` does, and with QUEUE_FULL where there is no room for the new states.
   */
  run(job: InferenceJob, limits: CallLimits, afterwards: "kept" | "dropped"): Promise<readonly Tensor[]>;
  /** Says that the request has all of its answers: a sequence that was to end with it has ended. */
  complete(): void;
  /** Lets the next request have its turn. Only the first call counts. */
  leave(): void;
}

/** The sequences of one replica: requests of one run one after the other, in the order in which they came. */
export class Sequences {
  readonly #options: SequencesOptions;
  readonly #kept = new Map<string, Sequence>();
  readonly #cancelIdle = new Map<Sequence, () => void>();

  constructor(options: SequencesOptions) {
    this.#options = options;
  }

  /** What is kept at the moment. */
  get usage(): SequenceUsage {
    const bytes = [...this.#kept.values()].reduce((sum, { states }) => sum + bytesOf(states ?? []), 0);
    return { count: this.#kept.size, bytes };
  }

  /**
   * Settles when it is a request's turn in its sequence. One that starts it ends what was before, whatever becomes of the request.
   *
   * Rejects with SEQUENCE_UNKNOWN where the sequence has not been started, with QUEUE_FULL where a bound is reached, with
   * DEADLINE_EXCEEDED, or with the reason of the signal.
   */
  async turn(step: SequenceStep, job: InferenceJob, limits: CallLimits): Promise<Turn> {
    const sequence = this.#sequenceOf(step);
    try {
      await this.#wait(sequence, step, job, limits);
    } catch (failure) {
      this.#rest(sequence);
      throw failure;
    }
    try {
      return this.#begin(sequence, step, job);
    } catch (failure) {
      this.#pass(sequence);
      throw failure;
    }
  }

  /** Keeps nothing any longer, whatever still comes. */
  close(): void {
    for (const sequence of this.#kept.values()) {
      sequence.close();
      this.#forget(sequence);
    }
  }

  /** Keeps those no longer whose states were lost with the session that kept them. */
  endLost(): void {
    for (const sequence of this.#kept.values()) if (sequence.endIfLost()) this.#rest(sequence);
  }

  #sequenceOf({ id, starts }: SequenceStep): Sequence {
    const { model, bounds, memory } = this.#options;
    const known = this.#kept.get(id);
    if (known !== undefined) return known;
    if (!starts) throw unknownSequence(id, model);
    if (this.#kept.size >= bounds.sequencesMax) {
      const message =
        `model ${quoted(model)} keeps ${this.#kept.size} sequences here, its limit; ` +
        `one has to end, or to have no requests for ${bounds.idleMs} ms`;
      throw new ServiceError("QUEUE_FULL", message, { retryDelayMs });
    }
    const sequence = new Sequence(id, memory);
    this.#kept.set(id, sequence);
    return sequence;
  }

  async #wait(sequence: Sequence, { starts }: SequenceStep, job: InferenceJob, limits: CallLimits): Promise<void> {
    const { clock, occupancies } = this.#options;
    const weighed = { rowCount: rowCountOf(job.inputs), inputBytes: job.inputBytes };
    try {
      limits.signal.throwIfAborted();
      if (limits.deadlineMs <= clock.now()) throw deadlinePassed();
      this.#cancelIdle.get(sequence)?.();
      if (sequence.takeAtOnce()) return;
      this.#refuseSurplus(sequence, weighed);
    } catch (refusal) {
      if (starts) sequence.endBehindLine();
      throw refusal;
    }
    for (const occupancy of occupancies) occupancy.enter(weighed);
    try {
      await sequence.waitForTurn(starts, limits, clock);
    } finally {
      for (const occupancy of occupancies) occupancy.leave(weighed);
    }
  }

  #refuseSurplus({ id, waitingCount }: Sequence, weighed: Weighed): void {
    const { bounds, occupancies } = this.#options;
    const ownObstacle =
      waitingCount >= bounds.waitingMax
        ? `${waitingCount} requests of sequence ${id} wait; at most ${bounds.waitingMax} may`
        : undefined;
    const obstacle =
      ownObstacle ?? occupancies.map((occupancy) => occupancy.obstacle(weighed)).find((found) => found !== undefined);
    if (obstacle === undefined) return;
    throw new ServiceError("QUEUE_FULL", `Exceeds maximum queue size: ${obstacle}`, { retryDelayMs });
  }

  #begin(sequence: Sequence, { id, starts, ends }: SequenceStep, job: InferenceJob): Turn {
    const { model, plan, memory, run } = this.#options;
    if (starts) sequence.end();
    else sequence.endIfLost();
    const rowCount = plan.rowCountOf(job.inputs);
    let states = starts ? plan.initialStates(rowCount, memory.bytesMax) : sequence.states;
    if (states === undefined) throw unknownSequence(id, model);
    if (!starts && rowCount !== sequence.rowCount) {
      throw tensorFault(
        `the request has ${rowCount} rows; needed: ${sequence.rowCount}, as its sequence ${id} began with`,
      );
    }
    let isLeft = false;
    return {
      run: async (asked, limits, afterwards) => {
        const result = plan.split(asked, await run(plan.withStates(asked, states!), limits));
        if (afterwards === "dropped") letGoAll(result.states);
        else if (!sequence.keep(result.states, rowCount)) {
          letGoAll(result.outputs);
          throw memoryFull(memory);
        }
        states = result.states;
        return result.outputs;
      },
      complete: () => {
        if (ends) sequence.end();
      },
      leave: () => {
        if (!isLeft) this.#pass(sequence);
        isLeft = true;
      },
    };
  }

  #pass(sequence: Sequence): void {
    sequence.pass();
    this.#rest(sequence);
  }

  /** Forgets a sequence that nobody uses: at once where it keeps nothing, otherwise after a while. */
  #rest(sequence: Sequence): void {
    if (sequence.isTaken || this.#kept.get(sequence.id) !== sequence) return;
    this.#cancelIdle.get(sequence)?.();
    sequence.endIfLost();
    if (sequence.states === undefined) this.#forget(sequence);
    else {
      const cancel = this.#options.clock.after(this.#options.bounds.idleMs, () => this.#forget(sequence));
      this.#cancelIdle.set(sequence, cancel);
    }
  }

  #forget(sequence: Sequence): void {
    this.#cancelIdle.get(sequence)?.();
    this.#cancelIdle.delete(sequence);
    sequence.end();
    this.#kept.delete(sequence.id);
    if (this.#kept.size === 0) this.#options.onEnd();
  }
}

/** Nobody knows how long sequences go on. */
const retryDelayMs = 100;

function unknownSequence(id: string, model: string): ServiceError {
  const message =
    `inference request for sequence ${id} to model ${quoted(model)} must specify the START flag ` +
    "on the first request of the sequence";
  return new ServiceError("SEQUENCE_UNKNOWN", message, { metadata: { sequence: id, model } });
}

function memoryFull({ bytes, bytesMax }: StateMemory): ServiceError {
  const message = `the states of sequences have ${bytes} bytes on this node; at most ${bytesMax} may be kept`;
  return new ServiceError("QUEUE_FULL", message, { retryDelayMs });
}
