import { setImmediate } from "node:timers/promises";
import { type Clock, systemClock } from "../../../lib/clock.ts";
import type { Log } from "../../../lib/log.ts";
import { parseVersionName } from "../../../lib/resource-names.ts";
import type { Database, Touched } from "../store/database.ts";
import { isPlannedBy, type ModelEntry, type ReachedAlias, type VersionEntry } from "../store/entries.ts";
import { EntryStore } from "../store/entry-store.ts";
import { withVersions } from "./version-list.ts";

/** Hears what is known of models; undefined stands for a model that is gone. */
export type EntryListener = (model: string, entry: ModelEntry | undefined) => void;

/**
 * Reads what has changed of models, by this registry or by another one, and keeps where aliases have led. Of the versions of a
 * model, which may be many, it reads those that have changed and those that aliases lead to. While the database is away everything stays as it was read last; what is left to do is done when it is back.
 */
export class CatalogueLink {
  readonly #database: Database;
  readonly #entries: EntryStore;
  readonly #clock: Clock;
  readonly #log: Log;
  readonly #onEntry: EntryListener;
  /** Models to read again, each with its versions that have changed. */
  readonly #stale = new Map<string, Set<number>>();
  /** Of each model that is there, as they were read last. */
  readonly #versions = new Map<string, readonly VersionEntry[]>();
  readonly #reached = new Map<string, ReachedAlias>();
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
    this.#stopListening = this.#database.onCommit((_, touched) => this.#heard(touched));
    for (const [model, entry] of await this.#entries.entries()) this.#replace(model, entry);
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

  #heard(touched: readonly Touched[]): void {
    for (const { kind, model, resource } of touched) {
      if (model === null || !isPlannedBy(kind)) continue;
      this.#outdate(model, kind === "VERSION" ? [parseVersionName(resource).version] : []);
    }
    this.#work();
  }

  #outdate(model: string, numbers: Iterable<number>): void {
    const stale = this.#stale.get(model) ?? new Set();
    for (const number of numbers) stale.add(number);
    this.#stale.set(model, stale);
  }

  #replace(model: string, entry: ModelEntry | undefined): void {
    if (entry === undefined) this.#versions.delete(model);
    else this.#versions.set(model, entry.versions);
    this.#onEntry(model, entry);
  }

  #work(): void {
    if (!this.#isRunning) return;
    this.#working ??= this.#workOff().finally(() => {
      this.#working = undefined;
    });
  }

  async #workOff(): Promise<void> {
    try {
      while (this.#isRunning && (this.#stale.size > 0 || this.#reached.size > 0)) {
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

  async #read(): Promise<void> {
    const stale = new Map([...this.#stale].slice(0, modelsPerRead));
    if (stale.size === 0) return;
    const begin = performance.now();
    // Before reading: a change during the read makes the model stale again.
    for (const model of stale.keys()) this.#stale.delete(model);
    try {
      const entries = await this.#entriesOf(stale);
      for (const model of stale.keys()) this.#replace(model, entries.get(model));
    } catch (failure) {
      for (const [model, numbers] of stale) this.#outdate(model, numbers);
      throw failure;
    }
    // What is planned now takes its time as well.
    await setImmediate();
    this.#restMs = Math.min(restsPerRead * (performance.now() - begin), restMsMax);
  }

  /** Reads models that are not known yet as a whole, of the others what has changed. */
  async #entriesOf(stale: ReadonlyMap<string, ReadonlySet<number>>): Promise<ReadonlyMap<string, ModelEntry>> {
    const known = new Map([...stale].filter(([model]) => this.#versions.has(model)));
    const unknown = [...stale.keys()].filter((model) => !known.has(model));
    const entries = new Map(unknown.length === 0 ? [] : await this.#entries.entries(unknown));
    for (const [model, update] of known.size === 0 ? [] : await this.#entries.updates(known)) {
      const versions = withVersions(this.#versions.get(model)!, update.versions);
      entries.set(model, { ...update, versions });
    }
    return entries;
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
