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

/** That of one call. */
export class CallCancellation implements Cancellation {
  #reason: unknown;
  #listeners: (() => void)[] = [];
  #isOver = false;

  get aborted(): boolean {
    return this.#reason !== undefined;
  }

  /** Whether nobody waits any longer, or the call is answered. */
  get isOver(): boolean {
    return this.#isOver;
  }

  get reason(): unknown {
    return this.#reason;
  }

  throwIfAborted(): void {
    if (this.aborted) throw this.#reason;
  }

  addEventListener(_: "abort", listener: () => void): void {
    if (!this.#isOver) this.#listeners.push(listener);
  }

  removeEventListener(_: "abort", listener: () => void): void {
    const place = this.#listeners.indexOf(listener);
    if (place >= 0) this.#listeners.splice(place, 1);
  }

  /** Nobody waits any longer. Does nothing once the call is answered. */
  abort(reason: object): void {
    if (this.#isOver) return;
    this.#reason = reason;
    const listeners = this.#listeners;
    this.end();
    for (const listener of listeners) listener();
  }

  /** The call is answered: whether somebody waits means nothing any longer. */
  end(): void {
    this.#isOver = true;
    this.#listeners = [];
  }
}
