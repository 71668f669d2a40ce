/**
 * The part of a turn of the event loop that may go into what sockets hand over. Node reads up to 2 MiB of each in one turn, and what is made
 * of that may take a tenth of a second and more, in which no timer, no answer and no other socket has its turn. Who comes when the share is
 * used up goes on in a later turn: first come, first served.
 */
export class TurnShare {
  readonly #monotonicMs: () => number;
  /** Undefined until something comes in this turn. */
  #endMs: number | undefined;
  readonly #waiting: (() => void)[] = [];

  /** By a clock; see `Clock.monotonicMs`. */
  constructor(monotonicMs: () => number) {
    this.#monotonicMs = monotonicMs;
  }

  /** Whether this turn has no time left. */
  get isUsedUp(): boolean {
    const nowMs = this.#monotonicMs();
    if (this.#endMs !== undefined) return nowMs >= this.#endMs;
    this.#endMs = nowMs + shareMs;
    setImmediate(this.#endTurn);
    return false;
  }

  /** Calls back once, in a turn that has time left. */
  awaitTurn(goOn: () => void): void {
    this.#waiting.push(goOn);
    setImmediate(this.#callNext);
  }

  readonly #endTurn = (): void => {
    this.#endMs = undefined;
  };

  /** Comes once for each that waits, so that the promises of one are settled before the next: calls reach their sessions by those. */
  readonly #callNext = (): void => {
    if (this.isUsedUp) setImmediate(this.#callNext);
    else this.#waiting.shift()!();
  };
}

/**
 * A turn has answers to write as well, may collect garbage for 5 ms or lose its core for 4, and should not take 10. With 4 ms nodes that were called
 * too often stalled five times as often.
 */
export const shareMs = 2;
