import type { Clock } from "../../lib/clock.ts";
import { applied, type PlacedTable, type RoutePosition, type RouteStep, type RouteTable } from "./route-table.ts";

/** The route table of this moment. Requests read it; the link to the registry moves it on. */
export class Routes {
  readonly #settle: (placed: PlacedTable) => Promise<void>;
  readonly #clock: Clock;
  #placed: PlacedTable | undefined;
  #cancelTimer: (() => void) | undefined;
  #settling: Promise<void> = Promise.resolve();

  /** `settle` is called with the table some time after it changed, one call after the other, however often it changes. */
  constructor(settle: (placed: PlacedTable) => Promise<void>, clock: Clock) {
    this.#settle = settle;
    this.#clock = clock;
  }

  /** Undefined until the first snapshot. */
  get table(): RouteTable | undefined {
    return this.#placed?.table;
  }

  /** The step that the table is; undefined as the table is. */
  get position(): RoutePosition | undefined {
    return this.#placed?.position;
  }

  /** Begins with a table from an earlier life. */
  restore(placed: PlacedTable): void {
    this.#placed = placed;
  }

  /** Moves on by one step, which has the position; the next request sees it. */
  apply(step: RouteStep, position: RoutePosition): void {
    const table = applied(this.#placed?.table, step);
    if (table === undefined) return;
    this.#placed = { table, position };
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
    this.#settling = this.#settling.then(() => (this.#placed === undefined ? undefined : this.#settle(this.#placed)));
  }
}

/** Changes come in bursts: a file per change would be wasted. */
const settleDelayMs = 200;
