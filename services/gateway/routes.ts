import type { Clock } from "../../lib/clock.ts";
import { applied, type PlacedTable, type RoutePosition, type RouteStep, type RouteTable } from "./route-table.ts";

/** Who hears of changes. */
export interface RoutesParts {
  /** Is called with the table some time after it changed, one call after the other, however often it changes. */
  readonly settle: (placed: PlacedTable) => Promise<void>;
  /** Is called after each change. */
  readonly changed: () => void;
}

/** The route table of this moment. Requests read it; the link to the registry moves it on. */
export class Routes {
  readonly #parts: RoutesParts;
  readonly #clock: Clock;
  #placed: PlacedTable | undefined;
  #changedMs = 0;
  #cancelTimer: (() => void) | undefined;
  #settling: Promise<void> = Promise.resolve();

  constructor(parts: RoutesParts, clock: Clock) {
    this.#parts = parts;
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

  /** How long the table is as it is, or was told to be still so, in milliseconds; undefined as the table is. */
  get ageMs(): number | undefined {
    return this.#placed && this.#clock.monotonicMs() - this.#changedMs;
  }

  /** Begins with a table from an earlier life. */
  restore(placed: PlacedTable): void {
    this.#place(placed);
  }

  /** Moves on by one step, which has the position; the next request sees it. */
  apply(step: RouteStep, position: RoutePosition): void {
    const table = applied(this.#placed?.table, step);
    if (table === undefined) return;
    this.#place({ table, position });
    this.#parts.changed();
    this.#cancelTimer ??= this.#clock.after(settleDelayMs, () => this.#settleNow());
  }

  #place(placed: PlacedTable): void {
    this.#placed = placed;
    this.#changedMs = this.#clock.monotonicMs();
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
    this.#settling = this.#settling.then(() =>
      this.#placed === undefined ? undefined : this.#parts.settle(this.#placed),
    );
  }
}

/** Changes come in bursts: a file per change would be wasted. */
const settleDelayMs = 200;
