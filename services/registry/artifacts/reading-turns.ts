import { ServiceError } from "../../../lib/errors.ts";

/** Lets one caller at a time hold a whole artifact in memory; the others wait in order, up to a bound. */
export class ReadingTurns {
  readonly #waitingMax: number;
  #waiting = 0;
  #last: Promise<unknown> = Promise.resolve();

  constructor(waitingMax: number = readersWaitingMax) {
    this.#waitingMax = waitingMax;
  }

  /** Runs `read` when its turn comes; rejects with QUEUE_FULL at the bound, with the signal's reason if it aborts before. */
  async during<Result>(read: () => Promise<Result>, signal: AbortSignal): Promise<Result> {
    if (this.#waiting > this.#waitingMax) {
      throw new ServiceError("QUEUE_FULL", `${this.#waiting} artifacts are being read or wait for it, the limit`, {
        retryDelayMs: 1000,
      });
    }
    this.#waiting++;
    const turn = this.#last.then(() => {
      signal.throwIfAborted();
      return read();
    });
    this.#last = turn.catch(() => undefined);
    try {
      return await turn;
    } finally {
      this.#waiting--;
    }
  }
}

/** Callers that may wait while another one reads. */
const readersWaitingMax = 64;
