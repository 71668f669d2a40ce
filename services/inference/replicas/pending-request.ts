import type { Tensor } from "../../../lib/tensor.ts";
import type { InferenceJob } from "../tensors/decode.ts";

/** How long the caller of a request waits. */
export interface CallLimits {
  /** In milliseconds since 1970; Infinity where the caller did not say. */
  readonly deadlineMs: number;
  /** Aborted when the caller has gone. */
  readonly signal: AbortSignal;
}

/** A job on its way to a session. It settles once: with outputs, with a fault, or when its caller has gone. */
export class PendingRequest {
  readonly job: InferenceJob;
  readonly deadlineMs: number;
  readonly outputs: Promise<readonly Tensor[]>;
  readonly #signal: AbortSignal;
  #resolve!: (outputs: readonly Tensor[]) => void;
  #reject!: (failure: unknown) => void;
  #abandon: () => void;

  /** `onAbandon` is called when the caller has gone before the request settled. */
  constructor(job: InferenceJob, { deadlineMs, signal }: CallLimits, onAbandon: (request: PendingRequest) => void) {
    this.job = job;
    this.deadlineMs = deadlineMs;
    this.#signal = signal;
    this.outputs = new Promise((resolve, reject) => {
      this.#resolve = resolve;
      this.#reject = reject;
    });
    this.#abandon = () => {
      this.reject(signal.reason);
      onAbandon(this);
    };
    signal.addEventListener("abort", this.#abandon, { once: true });
  }

  get inputBytes(): number {
    return this.job.inputBytes;
  }

  resolve(outputs: readonly Tensor[]): void {
    this.#signal.removeEventListener("abort", this.#abandon);
    this.#resolve(outputs);
  }

  reject(failure: unknown): void {
    this.#signal.removeEventListener("abort", this.#abandon);
    this.#reject(failure);
  }
}
