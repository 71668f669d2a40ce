import { type CallEnd, endOfLoss } from "../call/call-end.ts";

/** Somebody who takes part in a race. */
export interface Runner {
  /** Another one was faster. */
  settle(lost: CallEnd): void;
}

/** Several exchanges for one call: the first whose message is there answers it. */
export class Race {
  readonly #running = new Set<Runner>();
  #isWon = false;

  /** Whether one has won, or nobody can any longer. */
  get isWon(): boolean {
    return this.#isWon;
  }

  /** Takes part until it leaves, or has lost. */
  join(runner: Runner): void {
    this.#running.add(runner);
  }

  leave(runner: Runner): void {
    this.#running.delete(runner);
  }

  win(runner: Runner): void {
    this.#running.delete(runner);
    this.end();
  }

  /** Ends all that are running. */
  end(): void {
    this.#isWon = true;
    for (const loser of [...this.#running]) loser.settle(endOfLoss("another replica was faster"));
  }
}
