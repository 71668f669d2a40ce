import type { Clock } from "../../../lib/clock.ts";
import type { Tensor } from "../../../lib/tensor.ts";
import type { InferenceJob } from "../tensors/decode.ts";
import { type BatchedRequest, deadlinePassed } from "./batcher.ts";

/** How long the caller of a request waits. */
export interface CallLimits {
  /** In milliseconds since 1970; Infinity where the caller did not say. */
  readonly deadlineMs: number;
  /** Aborted when the caller has gone. */
  readonly signal: AbortSignal;
}

/** What a request is made of. */
export interface PendingRequestOptions extends CallLimits {
  readonly rowCount: number;
  /** See {@link BatchedRequest}. */
  readonly bucket: string | undefined;
  readonly clock: Clock;
  /** Called when the caller has gone, or the deadline has passed, before the request settled. */
  readonly onAbandon: (request: PendingRequest) => void;
}

/** A job on its way to a session. It settles once: with outputs, with a fault, at its deadline, or when its caller has gone. */
export class PendingRequest implements BatchedRequest {
  readonly job: InferenceJob;
  readonly deadlineMs: number;
  readonly rowCount: number;
  readonly bucket: string | undefined;
  readonly outputs: Promise<readonly Tensor[]>;
  sendByMs = 0;
  #isSettled = false;
  readonly #resolve: (outputs: readonly Tensor[]) => void;
  readonly #reject: (failure: unknown) => void;
  readonly #release: () => void;

  constructor(job: InferenceJob, options: PendingRequestOptions) {
    const { deadlineMs, signal, rowCount, bucket, clock, onAbandon } = options;
    const { promise, resolve, reject } = withResolvers<readonly Tensor[]>();
    this.job = job;
    this.deadlineMs = deadlineMs;
    this.rowCount = rowCount;
    this.bucket = bucket;
    this.outputs = promise;
    this.#resolve = resolve;
    this.#reject = reject;
    const abandon = (why: unknown) => {
      this.reject(why);
      onAbandon(this);
    };
    const onAbort = () => abandon(signal.reason);
    signal.addEventListener("abort", onAbort, { once: true });
    const cancelTimer = clock.after(deadlineMs - clock.now(), () => abandon(deadlinePassed()));
    this.#release = () => {
      signal.removeEventListener("abort", onAbort);
      cancelTimer();
    };
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

  /** Whether an outcome would reach nobody. */
  get isSettled(): boolean {
    return this.#isSettled;
  }

  resolve(outputs: readonly Tensor[]): void {
    this.#settle();
    this.#resolve(outputs);
  }

  reject(failure: unknown): void {
    this.#settle();
    this.#reject(failure);
  }

  #settle(): void {
    this.#isSettled = true;
    this.#release();
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
