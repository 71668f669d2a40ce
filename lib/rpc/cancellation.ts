/** Whether a caller has gone: as much of an `AbortSignal` as a call needs, which takes a fraction of the time. */
export interface Cancellation {
  readonly aborted: boolean;
  /** Why, once it is aborted. */
  readonly reason: unknown;
  /** Throws the reason once it is aborted. */
  throwIfAborted(): void;
  addEventListener(type: "abort", listener: () => void, options?: { readonly once?: boolean }): void;
  removeEventListener(type: "abort", listener: () => void): void;
}

/** What grpc-js says of a call. */
interface CancellableCall {
  readonly cancelled: boolean;
  on(event: "cancelled", listener: () => void): unknown;
  off(event: "cancelled", listener: () => void): unknown;
}

/** That of one call. */
export class CallCancellation implements Cancellation {
  readonly #call: CancellableCall;
  readonly #fault: () => unknown;
  #reason: unknown;
  #isOver = false;

  /** `fault` makes the reason. */
  constructor(call: CancellableCall, fault: () => unknown) {
    this.#call = call;
    this.#fault = fault;
  }

  get aborted(): boolean {
    return !this.#isOver && this.#call.cancelled;
  }

  get reason(): unknown {
    if (this.aborted) this.#reason ??= this.#fault();
    return this.#reason;
  }

  throwIfAborted(): void {
    if (this.aborted) throw this.reason;
  }

  addEventListener(_: "abort", listener: () => void): void {
    this.#call.on("cancelled", listener);
  }

  removeEventListener(_: "abort", listener: () => void): void {
    this.#call.off("cancelled", listener);
  }

  /** The call is answered: grpc-js reports every call as cancelled soon after, which no longer says anything. */
  end(): void {
    this.#isOver = true;
  }
}
