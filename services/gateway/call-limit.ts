import { ServiceError } from "../../lib/errors.ts";

/** Bounds how many calls are forwarded at the same time, because each of them holds memory and a stream. */
export class CallLimit {
  readonly #callsMax: number;
  #calls = 0;

  constructor(callsMax: number) {
    this.#callsMax = callsMax;
  }

  /** Those that are forwarded now. */
  get calls(): number {
    return this.#calls;
  }

  /** Counts one call in while `forward` is not settled; rejects with QUEUE_FULL at the bound. */
  async during<Result>(forward: () => Promise<Result>): Promise<Result> {
    if (this.#calls >= this.#callsMax) {
      throw new ServiceError(
        "QUEUE_FULL",
        `the gateway already forwards ${this.#calls} calls, its limit; retry later`,
        {
          metadata: { limit: "calls", callsMax: String(this.#callsMax) },
          retryDelayMs: 200,
        },
      );
    }
    this.#calls++;
    try {
      return await forward();
    } finally {
      this.#calls--;
    }
  }
}
