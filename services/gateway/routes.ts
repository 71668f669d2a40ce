import type { Clock } from "../../lib/clock.ts";
import { applied, type RouteStep, type RouteTable } from "./route-table.ts";

/** The route table of this moment. Requests read it; the link to the registry moves it on. */
export class Routes {
  readonly #settle: (table: RouteTable) => Promise<void>;
  readonly #clock: Clock;
  #table: RouteTable | undefined;
  #cancelTimer: (() => void) | undefined;
  #settling: Promise<void> = Promise.resolve();

  /** `settle` is called with the table some time after it changed, one call after the other, however often it changes. */
  constructor(settle: (table: RouteTable) => Promise<void>, clock: Clock) {
    this.#settle = settle;
    this.#clock = clock;
  }

  /** Undefined until the first snapshot. */
  get table(): RouteTable | undefined {
    return this.#table;
  }

  /** Begins with a table from an earlier life. */
  restore(table: RouteTable): void {
    this.#table = table;
  }

  /** Moves on by one step; the next request sees it. */
  apply(step: RouteStep): void {
    this.#table = applied(this.#table, step);
    this.#cancelTimer ??= this.#clock.after(settleDelayMs, () => this.#settleNow());
  }

  /** Settles what is not settled yet. */
  async flush(): Promise<void> {
    if (this.#cancelTimer !== undefined) {
      this.#cancelTimer();
      this.#settleNow();
    }
    await this.#settling;
  }

  #settleNow(): void {
    this.#cancelTimer = undefined;
    this.#settling = this.#settling.then(() => (this.#table === undefined ? undefined : this.#settle(this.#table)));
  }
}

/** Changes come in bursts: a file per change would be wasted. */
const settleDelayMs = 200;
