/** Counts the requests of a node. */
export class RequestCount {
  #outstanding = 0;
  #answered = 0;

  /** Those that wait or run. */
  get outstanding(): number {
    return this.#outstanding;
  }

  /** Those that were answered with outputs. */
  get answered(): number {
    return this.#answered;
  }

  /** Counts one request from now until `run` settles. */
  async during<Result>(run: () => Promise<Result>): Promise<Result> {
    this.#outstanding++;
    try {
      const result = await run();
      this.#answered++;
      return result;
    } finally {
      this.#outstanding--;
    }
  }

  /** Counts one request that has many responses, from the first that is asked for until the last. */
  async *duringAll<Response>(responses: AsyncIterable<Response>): AsyncGenerator<Response> {
    this.#outstanding++;
    try {
      yield* responses;
      this.#answered++;
    } finally {
      this.#outstanding--;
    }
  }
}
