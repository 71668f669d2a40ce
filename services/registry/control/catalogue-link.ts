import { type Clock, systemClock } from "../../../lib/clock.ts";
import type { Log } from "../../../lib/log.ts";
import type { Database } from "../store/database.ts";
import { EntryStore, isPlannedBy, type ModelEntry, type ReachedAlias } from "../store/entries.ts";
import type { Change } from "../store/transaction.ts";

/** Hears what is known of models; undefined stands for a model that is gone. */
export type EntryListener = (model: string, entry: ModelEntry | undefined) => void;

/**
 * Reads every model again after something of it has changed, by this registry or by another one, and keeps where aliases have
 * led. While the database is away everything stays as it was read last; what is left to do is done when it is back.
 */
export class CatalogueLink {
  readonly #database: Database;
  readonly #entries: EntryStore;
  readonly #clock: Clock;
  readonly #log: Log;
  readonly #onEntry: EntryListener;
  /** Models to read again. */
  readonly #stale = new Set<string>();
  readonly #reached = new Map<string, ReachedAlias>();
  /** Whether another registry may have changed something behind the last change that is known. */
  #mustLook = false;
  #sequence = 0;
  #working: Promise<void> | undefined;
  #isAway = false;
  #isRunning = false;
  #restMs = 0;
  #endRest: () => void = () => undefined;
  #cancelRetry: () => void = () => undefined;
  #stopListening: () => void = () => undefined;

  constructor(database: Database, clock: Clock, log: Log, onEntry: EntryListener) {
    this.#database = database;
    this.#entries = new EntryStore(database);
    this.#clock = clock;
    this.#log = log;
    this.#onEntry = onEntry;
  }

  /** Reads all models, and from then on what changes. */
  async start(): Promise<void> {
    this.#stopListening = this.#database.onCommit((changes) => this.#heard(changes));
    this.#sequence = await this.#entries.lastSequence();
    for (const [model, entry] of await this.#entries.entries()) this.#onEntry(model, entry);
    this.#isRunning = true;
    this.#work();
  }

  /** The database is not read afterwards. */
  async stop(): Promise<void> {
    this.#isRunning = false;
    this.#stopListening();
    this.#cancelRetry();
    this.#endRest();
    await this.#working;
  }

  /** Writes down where aliases have led. */
  keep(reached: readonly ReachedAlias[]): void {
    for (const one of reached) this.#reached.set(`${one.model}/${one.alias}`, one);
    if (reached.length === 0) return;
    this.#endRest();
    this.#work();
  }

  #heard(changes: readonly Change[] | undefined): void {
    this.#mustLook ||= changes === undefined;
    for (const { kind, model } of changes ?? []) if (model !== null && isPlannedBy(kind)) this.#stale.add(model);
    this.#work();
  }

  #work(): void {
    if (!this.#isRunning) return;
    this.#working ??= this.#workOff().finally(() => {
      this.#working = undefined;
    });
  }

  async #workOff(): Promise<void> {
    try {
      while (this.#isRunning && (this.#mustLook || this.#stale.size > 0 || this.#reached.size > 0)) {
        if (this.#mustLook) await this.#look();
        await this.#read();
        await this.#write();
        await this.#rest();
      }
      this.#isAway = false;
    } catch (error) {
      if (!this.#isAway) this.#log.error({ error }, "the catalogue cannot be read; the last plan holds");
      this.#isAway = true;
      this.#cancelRetry();
      this.#cancelRetry = this.#clock.after(retryDelayMs, () => this.#work());
    }
  }

  async #look(): Promise<void> {
    this.#mustLook = false;
    try {
      const { models, last } = await this.#entries.changedSince(this.#sequence);
      for (const model of models) this.#stale.add(model);
      // There may be more of them.
      this.#mustLook ||= last > this.#sequence;
      this.#sequence = last;
    } catch (failure) {
      this.#mustLook = true;
      throw failure;
    }
  }

  async #read(): Promise<void> {
    const models = [...this.#stale].slice(0, modelsPerRead);
    if (models.length === 0) return;
    const begin = performance.now();
    // Before reading: a change during the read makes the model stale again.
    for (const model of models) this.#stale.delete(model);
    try {
      const entries = await this.#entries.entries(models);
      for (const model of models) this.#onEntry(model, entries.get(model));
      this.#restMs = Math.min(restsPerRead * (performance.now() - begin), restMsMax);
    } catch (failure) {
      for (const model of models) this.#stale.add(model);
      throw failure;
    }
  }

  /** What changes meanwhile is read together: however fast versions come, reading them leaves time for what makes them. */
  async #rest(): Promise<void> {
    const restMs = this.#restMs;
    this.#restMs = 0;
    if (restMs < 1 || !this.#isRunning) return;
    await new Promise<void>((resolve) => {
      // By the machine's own time, whatever the plan is told: the rest is the machine's.
      const cancel = systemClock.after(restMs, resolve);
      this.#endRest = () => {
        cancel();
        resolve();
      };
    });
  }

  async #write(): Promise<void> {
    // In one order everywhere, so that registries that write the same do not wait for each other in a circle.
    const reached = [...this.#reached].sort(([a], [b]) => (a < b ? -1 : 1)).slice(0, aliasesPerWrite);
    if (reached.length === 0) return;
    await this.#entries.keepReached(reached.map(([, one]) => one));
    for (const [name, one] of reached) if (this.#reached.get(name) === one) this.#reached.delete(name);
  }
}

/** How long to rest after reading, in multiples of what it took, and in milliseconds. */
const restsPerRead = 4;
const restMsMax = 200;

/** Models of one query. */
const modelsPerRead = 100;

/** Rows of one statement, which takes a bounded number of parameters. */
const aliasesPerWrite = 500;

/** How long to wait before a database that was away is tried again, in milliseconds. */
const retryDelayMs = 500;
