import type { Clock } from "../../../lib/clock.ts";
import type { Log } from "../../../lib/log.ts";
import { ownActor } from "../store/transaction.ts";
import type { Collector } from "./collector.ts";
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
  /** Whether something is due that one registry does once in an interval. */
  readonly takeTurn: (name: string, intervalMs: number) => Promise<boolean>;
  readonly clock: Clock;
  readonly log: Log;
}

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
    if (collectIntervalMs > 0) void this.#repeat("collect", collectIntervalMs, () => this.#collect());
    if (scrubIntervalMs > 0) void this.#repeat("scrub", scrubIntervalMs, () => this.#scrub());
  }

  /** Settles when nothing runs any more. */
  async stop(): Promise<void> {
    this.#ending.abort(new Error("the registry stops"));
    for (const cancel of this.#cancels.values()) cancel();
    await Promise.all(this.#running);
  }

  /** Looks now and then whether it is due, since others may have taken the turn, and a restart must not begin a new interval. */
  async #repeat(name: string, intervalMs: number, work: () => Promise<void>): Promise<void> {
    await this.#run(name, async () => {
      if (await this.#parts.takeTurn(name, intervalMs)) await work();
    });
    if (this.#ending.signal.aborted) return;
    const again = () => void this.#repeat(name, intervalMs, work);
    this.#cancels.set(name, this.#parts.clock.after(Math.min(intervalMs, lookMs), again));
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

  async #collect(): Promise<void> {
    const { graceMs } = this.#config;
    const collection = { actor: collecting, graceMs, dryRun: false, signal: this.#ending.signal };
    for await (const event of this.#parts.collector.collect(collection)) {
      if (event.kind === "summary") this.#parts.log.info(event.summary, "garbage collected");
    }
  }

  async #scrub(): Promise<void> {
    const { scrubIntervalMs, scrubBytesPerSecondMax } = this.#config;
    const sinceMs = this.#parts.clock.now() - scrubIntervalMs;
    const scrub = { actor: scrubbing, sinceMs, bytesPerSecondMax: scrubBytesPerSecondMax, signal: this.#ending.signal };
    for await (const event of this.#parts.scrubber.scrub(scrub)) {
      if (event.kind === "summary") this.#parts.log.info(event.count, "artifacts scrubbed");
    }
  }
}

const collecting = ownActor("CollectGarbage");
const scrubbing = ownActor("ScrubArtifacts");

/** How often to look at most, in milliseconds. */
const lookMs = 60_000;
