import type { Clock } from "../../../lib/clock.ts";
import type { Cancellation } from "../../../lib/rpc/cancellation.ts";
import type { Tensor } from "../../../lib/tensor.ts";
import type { InferenceJob } from "../tensors/decode.ts";
import { letGoAll } from "../tensors/held-tensor.ts";
import type { RunPhases } from "../worker/thread-protocol.ts";
import type { AnswerOrder, AnswerPlace } from "./answer-order.ts";
import { type BatchedRequest, deadlinePassed } from "./batcher.ts";
import { failureKindOf, type PoolObserver } from "./pool-observer.ts";

/** How long the caller of a request waits. */
export interface CallLimits {
  /** In milliseconds since 1970; Infinity where the caller did not say. */
  readonly deadlineMs: number;
  /** Aborted when the caller has gone. */
  readonly signal: Cancellation;
}

/** What a request is made of. */
export interface PendingRequestOptions extends CallLimits {
  readonly rowCount: number;
  /** See {@link BatchedRequest}. */
  readonly bucket: string | undefined;
  /** The order in which it is answered, in which it takes the next place; undefined where it waits for nobody. */
  readonly order: AnswerOrder | undefined;
  readonly clock: Clock;
  readonly observer: PoolObserver;
  /** Called when the caller has gone, or the deadline has passed, before the request settled. */
  readonly onAbandon: (request: PendingRequest) => void;
}

/** A job on its way to a session. It settles once: with outputs, with a fault, at its deadline, or when its caller has gone. */
export class PendingRequest implements BatchedRequest {
  readonly job: InferenceJob;
  readonly deadlineMs: number;
  readonly rowCount: number;
  readonly outputs: Promise<readonly Tensor[]>;
  sendByMs = 0;
  place: unknown = undefined;
  /** Takes it back from a busy instance that it was given to, and answers whether it had not begun; undefined where it was not. */
  takeBack: (() => boolean) | undefined;
  readonly #bucket: string | undefined;
  readonly #clock: Clock;
  readonly #observer: PoolObserver;
  readonly #arrivedMs: number;
  /** When the last run of it began; undefined before. */
  #begunMs: number | undefined;
  /** Whether it was under way when an instance was lost. */
  #wasLost = false;
  /** Whether there is an outcome, which may have to wait for its turn. */
  #hasOutcome = false;
  readonly #signal: Cancellation;
  readonly #order: AnswerOrder | undefined;
  readonly #place: AnswerPlace | undefined;
  readonly #onAbandon: (request: PendingRequest) => void;
  readonly #onAbort = () => this.#abandon(this.#signal.reason);
  readonly #cancelTimer: (() => void) | undefined;
  readonly #resolve: (outputs: readonly Tensor[]) => void;
  readonly #reject: (failure: unknown) => void;

  constructor(job: InferenceJob, options: PendingRequestOptions) {
    const { deadlineMs, signal, rowCount, bucket, order, clock, observer, onAbandon } = options;
    const { promise, resolve, reject } = withResolvers<readonly Tensor[]>();
    this.job = job;
    this.deadlineMs = deadlineMs;
    this.rowCount = rowCount;
    this.#bucket = bucket;
    this.outputs = promise;
    this.#clock = clock;
    this.#observer = observer;
    this.#arrivedMs = clock.monotonicMs();
    this.#resolve = resolve;
    this.#reject = reject;
    this.#signal = signal;
    this.#order = order;
    this.#place = order?.enter();
    this.#onAbandon = onAbandon;
    signal.addEventListener("abort", this.#onAbort);
    if (deadlineMs !== Infinity) {
      this.#cancelTimer = clock.after(deadlineMs - clock.now(), () => this.#abandon(deadlinePassed()));
    }
  }

  /** Alone once it was lost: it may be what killed the instance, and should not kill the others' answers too. */
  get bucket(): string | undefined {
    return this.#wasLost ? undefined : this.#bucket;
  }

  get inputBytes(): number {
    return this.job.inputBytes;
  }

  get priority(): number {
    return this.job.priority;
  }

  get timeoutMs(): number {
    return this.job.timeoutMs;
  }

  /** Whether another outcome would reach nobody. */
  get isSettled(): boolean {
    return this.#hasOutcome;
  }

  /**
   * Says that the instance was lost that ran it, and answers whether it can be run again: once, and not where its inputs went
   * along, as those do that have a buffer of their own or were kept by the instance.
   */
  lose(): boolean {
    const wasLost = this.#wasLost;
    this.#wasLost = true;
    const leftBytes = this.job.inputs.reduce((sum, { bytes }) => sum + bytes.byteLength, 0);
    return !wasLost && leftBytes === this.job.inputBytes;
  }

  /** Its run begins at a time of `Clock.monotonicMs`. */
  begin(atMs: number): void {
    this.#begunMs = atMs;
  }

  /** Answers it when its turn comes, with what a run gave that has begun. Only the first outcome counts; another is let go. */
  resolve(outputs: readonly Tensor[], phases: RunPhases): void {
    if (this.#hasOutcome) {
      letGoAll(outputs);
      return;
    }
    this.#hasOutcome = true;
    if (this.#place === undefined) this.#give(outputs, phases);
    else this.#order!.answer(this.#place, () => this.#give(outputs, phases));
  }

  /** Fails it at once. Only the first outcome counts. */
  reject(failure: unknown): void {
    if (!this.#hasOutcome) this.#fail(failure);
  }

  #give(outputs: readonly Tensor[], phases: RunPhases): void {
    this.#release();
    const queueMs = this.#begunMs! - this.#arrivedMs;
    const totalMs = this.#clock.monotonicMs() - this.#arrivedMs;
    this.job.trace?.ran(this.#arrivedMs, this.#begunMs!, phases);
    this.#observer.answered(this.rowCount, queueMs, phases, totalMs, this.job.responseIndex);
    this.#resolve(outputs);
  }

  /** Also while its answer waits for its turn. */
  #abandon(why: unknown): void {
    const hasBegun = this.takeBack?.() === false;
    if (hasBegun) this.begin(this.#clock.monotonicMs());
    this.#fail(why);
    this.#onAbandon(this);
  }

  #release(): void {
    this.#signal.removeEventListener("abort", this.#onAbort);
    this.#cancelTimer?.();
    if (this.#place !== undefined) this.#order!.leave(this.#place);
  }

  #fail(failure: unknown): void {
    this.#hasOutcome = true;
    this.#release();
    const kind = failureKindOf(failure, this.#begunMs !== undefined);
    this.#observer.failed(kind, this.#clock.monotonicMs() - this.#arrivedMs, this.job.responseIndex);
    this.#reject(failure);
  }
}

function withResolvers<Value>() {
  let resolve!: (value: Value) => void;
  let reject!: (failure: unknown) => void;
  const promise = new Promise<Value>((onResolve, onReject) => {
    resolve = onResolve;
    reject = onReject;
  });
  return { promise, resolve, reject };
}
