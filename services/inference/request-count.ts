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

  /** Counts one request, until `end`. */
  begin(): void {
    this.#outstanding++;
  }

  /** A request that has begun was answered with outputs, or was not. */
  end(isAnswered: boolean): void {
    this.#outstanding--;
    if (isAnswered) this.#answered++;
  }

  /** Counts one request that has many responses, from the first that is asked for until the last. */
  async *duringAll<Response>(responses: AsyncIterable<Response>): AsyncGenerator<Response> {
    let isAnswered = false;
    this.begin();
    try {
      yield* responses;
      isAnswered = true;
    } finally {
      this.end(isAnswered);
    }
  }
}
