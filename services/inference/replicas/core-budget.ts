import type { Clock } from "../../../lib/clock.ts";

/** How cores are shared. */
export interface CoreBudgetOptions {
  /** Cores that sessions may use together. */
  readonly coreCount: number;
  /** How long a run waits for cores at most, in milliseconds; then it shares them with others. */
  readonly waitMsMax: number;
  readonly clock: Clock;
}

/** A run that waits for cores. */
interface Waiting {
  readonly threadCount: number;
  readonly onTurn: () => void;
  readonly cancelTimer: () => void;
}

/**
 * The cores of a node, shared by the sessions of all its replicas: so many threads run as there are cores, and what comes beyond
 * waits for its turn, since threads that share a core cost each other more than the wait. No wait is longer than a bound, so that a
 * run that takes seconds holds up nobody.
 */
export class CoreBudget {
  readonly coreCount: number;
  readonly #waitMsMax: number;
  readonly #clock: Clock;
  /** Below 0 where runs have waited long enough. */
  #freeCount: number;
  /** In the order of their turns. */
  readonly #waiting = new Set<Waiting>();

  constructor({ coreCount, waitMsMax, clock }: CoreBudgetOptions) {
    this.coreCount = coreCount;
    this.#freeCount = coreCount;
    this.#waitMsMax = waitMsMax;
    this.#clock = clock;
  }

  /** Whether a run of so many threads, at most the number of cores, shares none. */
  hasRoom(threadCount: number): boolean {
    return this.#freeCount >= threadCount;
  }

  /** Whether a run waits for its turn. */
  get isAwaited(): boolean {
    return this.#waiting.size > 0;
  }

  /** Takes cores for a run, whether there is room or not. */
  take(threadCount: number): void {
    this.#freeCount -= threadCount;
  }

  /** Gives cores back; those whose turn that is are called before this returns. */
  giveBack(threadCount: number): void {
    this.#freeCount += threadCount;
    for (const waiting of this.#waiting) {
      if (!this.hasRoom(waiting.threadCount)) return;
      this.#call(waiting);
    }
  }

  /** Calls back once, when it is the turn of a run, or when that has waited for long enough; the answer cancels it. */
  wait(threadCount: number, onTurn: () => void): () => void {
    const waiting: Waiting = {
      threadCount,
      onTurn,
      cancelTimer: this.#clock.after(this.#waitMsMax, () => this.#call(waiting)),
    };
    this.#waiting.add(waiting);
    return () => this.#forget(waiting);
  }

  #call(waiting: Waiting): void {
    this.#forget(waiting);
    waiting.onTurn();
  }

  #forget(waiting: Waiting): void {
    waiting.cancelTimer();
    this.#waiting.delete(waiting);
  }
}
