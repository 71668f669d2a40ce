import type { Clock } from "../../../lib/clock.ts";
import type { Turn, Turns } from "../store/turns.ts";

/** A turn while its work runs: it is renewed until it ends, and lost where that fails for too long or another registry has it. */
export class HeldTurn {
  /** Since when it is due, in milliseconds since 1970. */
  readonly dueMs: number;
  readonly #turn: Turn;
  readonly #turns: Turns;
  readonly #clock: Clock;
  readonly #beginMs: number;
  readonly #losing = new AbortController();
  #isEnded = false;
  #cancelRenewal: () => void = () => undefined;
  #cancelLoss: () => void = () => undefined;

  private constructor(turn: Turn, turns: Turns, clock: Clock, beginMs: number) {
    this.dueMs = turn.dueMs;
    this.#turn = turn;
    this.#turns = turns;
    this.#clock = clock;
    this.#beginMs = beginMs;
    this.#keepFrom(beginMs);
  }

  /** Takes a turn; undefined where it is not due or somebody else is at it. */
  static async take(turns: Turns, name: string, intervalMs: number, clock: Clock): Promise<HeldTurn | undefined> {
    const beginMs = clock.now();
    const turn = await turns.take(name, intervalMs, leaseMs);
    return turn && new HeldTurn(turn, turns, clock, beginMs);
  }

  /** Aborted when it is lost. */
  get lost(): AbortSignal {
    return this.#losing.signal;
  }

  /** Gives it back. Where its work is done, the next one is due an interval after this one began, else at once. */
  async end(isDone: boolean): Promise<void> {
    this.#isEnded = true;
    this.#cancelRenewal();
    this.#cancelLoss();
    await this.#turns.end(this.#turn, isDone ? this.#beginMs : undefined);
  }

  #keepFrom(timeMs: number): void {
    if (this.#isEnded) return;
    this.#cancelLoss();
    this.#cancelLoss = this.#clock.after(timeMs + keptMsMax - this.#clock.now(), () => this.#lose());
    this.#renewLater();
  }

  #renewLater(): void {
    if (this.#isEnded) return;
    this.#cancelRenewal = this.#clock.after(renewMs, () => {
      const askedMs = this.#clock.now();
      this.#turns.renew(this.#turn, leaseMs).then(
        (isHeld) => (isHeld ? this.#keepFrom(askedMs) : this.#lose()),
        // It is kept for some more attempts.
        () => this.#renewLater(),
      );
    });
  }

  #lose(): void {
    this.#losing.abort(new Error("another registry may take the turn"));
  }
}

/** How long a turn lasts that is not renewed, in milliseconds. */
const leaseMs = 60_000;
const renewMs = 15_000;

/** Whoever cannot renew gives up before others may take the turn, by clocks that differ a little. */
const keptMsMax = 45_000;
