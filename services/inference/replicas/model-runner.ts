import type { Clock } from "../../../lib/clock.ts";
import { ServiceError } from "../../../lib/errors.ts";
import type { Signature, Tensor } from "../../../lib/tensor.ts";
import { Occupancy, type QueueBounds } from "../batching/occupancy.ts";
import type { CallLimits } from "../batching/pending-request.ts";
import { failureKindOf, type PoolObserver } from "../batching/pool-observer.ts";
import type { DecoupledSettings } from "../decoupled/decoupled-settings.ts";
import { type ResponsePlan, responsePlan } from "../decoupled/response-plan.ts";
import type { SequenceBounds, StateSettings } from "../sequences/sequence-settings.ts";
import { Sequences, type SequenceUsage, type Turn } from "../sequences/sequences.ts";
import type { StateMemory } from "../sequences/state-memory.ts";
import { statePlan } from "../sequences/state-plan.ts";
import type { InferenceJob, InferenceRequest } from "../tensors/decode.ts";
import { heldName, letGoAll } from "../tensors/held-tensor.ts";
import { quoted } from "../tensors/tensor-fault.ts";
import type { InstancePool } from "./instance-pool.ts";
import { Presence } from "./presence.ts";

/** What a runner is made of. */
export interface ModelRunnerOptions {
  /** The name that faults give the model. */
  readonly model: string;
  /** What is kept between the requests of a sequence; empty for a model without sequences. */
  readonly states: readonly StateSettings[];
  /** The outputs that stay on a device where they are wanted by their `heldName`. */
  readonly kept: readonly string[];
  readonly sequences: SequenceBounds;
  /** What the states of the whole node take. */
  readonly memory: StateMemory;
  /** How one request is answered many times; undefined where each is once. */
  readonly decoupled: DecoupledSettings | undefined;
  /** Bounds of the requests that wait for the one before in their sequence. */
  readonly queue: QueueBounds;
  /** What waits on the whole node. */
  readonly nodeQueue: Occupancy;
  /** Is told of requests that do not come as far as the pool. */
  readonly observer: Pick<PoolObserver, "failed">;
  /** Called when no sequence is kept any longer. */
  readonly onSequencesEnd: () => void;
  /** How long a caller waits that does not say; Infinity for ever. */
  readonly defaultTimeoutMs: number;
  readonly clock: Clock;
}

/** One of the responses to a request. */
export interface ResponsePart {
  readonly outputs: readonly Tensor[];
  /** Whether there are no more. */
  readonly isLast: boolean;
}

/** A pool as requests see it: with the states of sequences, and with as many responses as the model gives. */
export class ModelRunner {
  /** What requests give and get. */
  readonly signature: Signature;
  readonly #pool: Pick<InstancePool, "run">;
  readonly #options: ModelRunnerOptions;
  readonly #sequences: Sequences | undefined;
  readonly #plan: ResponsePlan | undefined;
  /** Requests of sequences, and those that are answered many times. */
  readonly #active = new Presence();

  /** Throws ARTIFACT_INVALID where the settings do not fit the signature of the model. */
  constructor(pool: Pick<InstancePool, "run">, signature: Signature, options: ModelRunnerOptions) {
    const {
      model,
      states,
      kept,
      sequences: bounds,
      memory,
      queue,
      nodeQueue,
      decoupled,
      onSequencesEnd: onEnd,
      clock,
    } = options;
    const wantedName = (outputName: string) => (kept.includes(outputName) ? heldName(outputName) : outputName);
    const plan = states.length > 0 ? statePlan(states, signature, wantedName) : undefined;
    this.#pool = pool;
    this.#options = options;
    this.signature = plan?.signature ?? signature;
    this.#plan = decoupled && responsePlan(decoupled, this.signature, wantedName);
    const run = (job: InferenceJob, limits: CallLimits) => pool.run(job, limits);
    const occupancies = [new Occupancy(queue), nodeQueue];
    this.#sequences = plan && new Sequences({ model, plan, bounds, memory, occupancies, run, onEnd, clock });
  }

  /** Whether a request may have more than one response. */
  get isDecoupled(): boolean {
    return this.#plan !== undefined;
  }

  /** What is kept of sequences at the moment. */
  get sequenceUsage(): SequenceUsage {
    return this.#sequences?.usage ?? { count: 0, bytes: 0 };
  }

  /**
   * Runs a request that has one response; see `InstancePool.run` and `Sequences.turn`. Throws UNSUPPORTED where the model
   * may give more, and REQUEST_INVALID for what it says of a sequence.
   */
  run(request: InferenceRequest, limits: CallLimits): Promise<readonly Tensor[]> {
    this.#counted(() => {
      if (this.#plan !== undefined && this.#responsesMax(request, this.#plan) > 1) throw streamNeeded();
      this.#checkSequence(request);
    });
    return this.#sequences === undefined ? this.#pool.run(request, limits) : this.#runOfSequence(request, limits);
  }

  async #runOfSequence(request: InferenceRequest, limits: CallLimits): Promise<readonly Tensor[]> {
    const bounded = this.#withDeadline(limits);
    const leave = this.#active.enter();
    let turn: Turn | undefined;
    try {
      turn = await this.#turnOf(request, bounded);
      const outputs = await turn!.run(request, bounded, request.sequence.ends ? "dropped" : "kept");
      turn!.complete();
      return outputs;
    } finally {
      turn?.leave();
      leave();
    }
  }

  /** The responses to a request, each of a run that begins when it is asked for. Whoever stops asking calls `return`. */
  async *responses(request: InferenceRequest, limits: CallLimits): AsyncGenerator<ResponsePart> {
    if (this.#plan === undefined) return yield { outputs: await this.run(request, limits), isLast: true };
    const plan = this.#plan;
    const responsesMax = this.#counted(() => {
      this.#checkSequence(request);
      return this.#responsesMax(request, plan);
    });
    const bounded = this.#withDeadline(limits);
    const leave = this.#active.enter();
    let turn: Turn | undefined;
    try {
      turn = await this.#turnOf(request, bounded);
      yield* this.#loop(request, { plan, responsesMax, turn, limits: bounded });
    } finally {
      turn?.leave();
      leave();
    }
  }

  /** Keeps no sequence any longer whose states were lost with a session. */
  endLostSequences(): void {
    this.#sequences?.endLost();
  }

  /**
   * Waits, but not for ever, for requests that need more runs than those that the pool has taken; then keeps no sequence. To be
   * called when no request comes any more.
   */
  async stop(): Promise<void> {
    await this.#active.left(this.#options.clock, finishMsMax);
    this.#sequences?.close();
  }

  async *#loop(request: InferenceRequest, { plan, responsesMax, turn, limits }: Loop): AsyncGenerator<ResponsePart> {
    const run = (job: InferenceJob) => turn?.run(job, limits, "kept") ?? this.#pool.run(job, limits);
    let job = plan.extended(request);
    try {
      for (let count = 1; ; count++) {
        const outputs = await run(job);
        const isLast = count === responsesMax || plan.isLast(outputs);
        letGoAll(job.inputs);
        if (isLast) {
          letGoAll(outputs);
          turn?.complete();
          turn?.leave();
        } else job = plan.next(job, outputs);
        yield { outputs: outputs.slice(0, request.outputNames.length), isLast };
        if (isLast) return;
      }
    } finally {
      letGoAll(job.inputs);
    }
  }

  /** Undefined where there are no sequences. */
  async #turnOf(request: InferenceRequest, limits: CallLimits): Promise<Turn | undefined> {
    const { clock, observer } = this.#options;
    const arrivedMs = clock.monotonicMs();
    try {
      return await this.#sequences?.turn(request.sequence, request, limits);
    } catch (refusal) {
      observer.failed(failureKindOf(refusal, false), clock.monotonicMs() - arrivedMs);
      throw refusal;
    }
  }

  /** What a check of a request gives; its refusal counts among the failures. */
  #counted<Found>(check: () => Found): Found {
    try {
      return check();
    } catch (refusal) {
      this.#options.observer.failed(failureKindOf(refusal, false), 0);
      throw refusal;
    }
  }

  #responsesMax({ responsesMax: wanted }: InferenceRequest, { responsesMax }: ResponsePlan): number {
    if (wanted <= responsesMax) return wanted || responsesMax;
    const message = `the parameter 'max_responses' is ${wanted}; needed: at most ${responsesMax}, as the model is set`;
    throw new ServiceError("REQUEST_INVALID", message);
  }

  #checkSequence({ sequence: { id, starts, ends } }: InferenceRequest): void {
    const model = quoted(this.#options.model);
    if (this.#sequences === undefined && (id !== "" || starts || ends)) {
      const message = `the request has parameters of a sequence, and model ${model} is served without sequence_batching`;
      throw new ServiceError("REQUEST_INVALID", message);
    }
    if (this.#sequences !== undefined && id === "") {
      const message = `inference request to model ${model} must specify a non-zero or non-empty correlation ID: the parameter sequence_id`;
      throw new ServiceError("REQUEST_INVALID", message);
    }
  }

  #withDeadline({ deadlineMs, signal }: CallLimits): CallLimits {
    const { clock, defaultTimeoutMs } = this.#options;
    return { signal, deadlineMs: deadlineMs === Infinity ? clock.now() + defaultTimeoutMs : deadlineMs };
  }
}

/** What the runs of one request have in common. */
interface Loop {
  readonly plan: ResponsePlan;
  readonly responsesMax: number;
  readonly turn: Turn | undefined;
  readonly limits: CallLimits;
}

/** A reader that has stopped reading does not keep a version from being unloaded. */
const finishMsMax = 30_000;

function streamNeeded(): ServiceError {
  const message = "ModelInfer RPC doesn't support models with decoupled transaction policy; needed: ModelStreamInfer";
  return new ServiceError("UNSUPPORTED", message);
}
