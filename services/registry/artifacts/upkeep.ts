import type { Clock } from "../../../lib/clock.ts";
import type { Log } from "../../../lib/log.ts";
import { ownActor } from "../store/transaction.ts";
import type { Turns } from "../store/turns.ts";
import type { Collector } from "./collector.ts";
import { HeldTurn } from "./held-turn.ts";
import type { Scrubber } from "./scrubber.ts";

/** What the registry does to its artifacts by itself. */
export interface UpkeepConfig {
  /** How often garbage is collected, in milliseconds; 0 for never. */
  readonly collectIntervalMs: number;
  /** How long artifacts stay that nothing refers to, in milliseconds. */
  readonly graceMs: number;
  /** How often artifacts are read again, in milliseconds; 0 for never. */
  readonly scrubIntervalMs: number;
  readonly scrubBytesPerSecondMax: number;
}

/** What upkeep works with. */
export interface UpkeepParts {
  readonly collector: Collector;
  readonly scrubber: Scrubber;
  readonly turns: Turns;
  readonly clock: Clock;
  readonly log: Log;
}

/** What is done in a turn; the signal ends it. */
type Work = (turn: HeldTurn, signal: AbortSignal) => Promise<void>;

/** Collects and scrubs in intervals, where it is told to, and finishes at its start what a dead collector has left. */
export class Upkeep {
  readonly #config: UpkeepConfig;
  readonly #parts: UpkeepParts;
  readonly #ending = new AbortController();
  readonly #running = new Set<Promise<void>>();
  readonly #cancels = new Map<string, () => void>();

  constructor(config: UpkeepConfig, parts: UpkeepParts) {
    this.#config = config;
    this.#parts = parts;
  }

  start(): void {
    const { collectIntervalMs, scrubIntervalMs } = this.#config;
    void this.#run("collect", () => this.#finish());
    if (collectIntervalMs > 0) void this.#repeat("collect", collectIntervalMs, (_, signal) => this.#collect(signal));
    if (scrubIntervalMs > 0) void this.#repeat("scrub", scrubIntervalMs, (turn, signal) => this.#scrub(turn, signal));
  }

  /** Settles when nothing runs any more. */
  async stop(): Promise<void> {
    this.#ending.abort(new Error("the registry stops"));
    for (const cancel of this.#cancels.values()) cancel();
    await Promise.all(this.#running);
  }

  /** Looks now and then whether it is due, since others may have taken the turn, and a restart must not begin a new interval. */
  async #repeat(name: string, intervalMs: number, work: Work): Promise<void> {
    await this.#run(name, () => this.#inTurn(name, intervalMs, work));
    if (this.#ending.signal.aborted) return;
    const again = () => void this.#repeat(name, intervalMs, work);
    this.#cancels.set(name, this.#parts.clock.after(Math.min(intervalMs, lookMs), again));
  }

  async #inTurn(name: string, intervalMs: number, work: Work): Promise<void> {
    const { turns, clock } = this.#parts;
    const turn = await HeldTurn.take(turns, name, intervalMs, clock);
    if (turn === undefined) return;
    let isDone = false;
    try {
      await work(turn, AbortSignal.any([this.#ending.signal, turn.lost]));
      isDone = true;
    } finally {
      await turn.end(isDone);
    }
  }

  async #run(name: string, work: () => Promise<void>): Promise<void> {
    const running = work().catch((failure: unknown) => {
      if (!this.#ending.signal.aborted)
        this.#parts.log.warn({ error: failure }, `${name} failed; it goes on next time`);
    });
    this.#running.add(running);
    await running;
    this.#running.delete(running);
  }

  async #finish(): Promise<void> {
    const unfinished = this.#parts.collector.finish({ actor: collecting, dryRun: false, signal: this.#ending.signal });
    for await (const _ of unfinished);
  }

  async #collect(signal: AbortSignal): Promise<void> {
    const { graceMs } = this.#config;
    const collection = { actor: collecting, graceMs, dryRun: false, signal };
    for await (const event of this.#parts.collector.collect(collection)) {
      if (event.kind === "summary") this.#parts.log.info(event.summary, "garbage collected");
    }
  }

  /** What was read since the turn was due, by whoever did not come to the end of it, is not read again. */
  async #scrub({ dueMs }: HeldTurn, signal: AbortSignal): Promise<void> {
    const { scrubBytesPerSecondMax } = this.#config;
    const scrub = { actor: scrubbing, sinceMs: dueMs, bytesPerSecondMax: scrubBytesPerSecondMax, signal };
    for await (const event of this.#parts.scrubber.scrub(scrub)) {
      if (event.kind === "summary") this.#parts.log.info(event.count, "artifacts scrubbed");
    }
  }
}

const collecting = ownActor("CollectGarbage");
const scrubbing = ownActor("ScrubArtifacts");

/** How often to look at most, in milliseconds. */
const lookMs = 60_000;
