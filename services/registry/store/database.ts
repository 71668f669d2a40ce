import { Kysely, sql } from "kysely";
import type { Clock } from "../../../lib/clock.ts";
import { ServiceError } from "../../../lib/errors.ts";
import { EmbeddedFile, embeddedWords } from "./embedded.ts";
import { migrations, type Words } from "./migrations.ts";
import { type Channel, Notifications } from "./notifications.ts";
import { isContention, type PostgresConfig, PostgresServer, postgresWords, startFault } from "./postgres.ts";
import type { Schema } from "./schema.ts";
import { type Actor, CatalogueTransaction, type Change } from "./transaction.ts";

/** Which database: a file in a folder, or a server. */
export type DatabaseConfig =
  | { readonly kind: "embedded"; readonly folder: string }
  | ({ readonly kind: "postgres" } & PostgresConfig);

/** A resource that a commit has changed. */
export type Touched = Pick<Change, "kind" | "resource" | "model">;

/** Hears of a commit: of its changes where it was ours, else of undefined; and of what it has touched in both cases. */
export type CommitListener = (changes: readonly Change[] | undefined, touched: readonly Touched[]) => void;

/**
 * The catalogue's database. Every acknowledged change is on disk and in the log of changes, whose numbers follow each other
 * without gaps in the order of the commits. With PostgreSQL several registries share one.
 */
export class Database {
  /** For reading; changes go through `change`. */
  readonly query: Kysely<Schema>;
  /** Whether other registries may change the same catalogue at the same time. */
  readonly isShared: boolean;
  readonly #clock: Clock;
  readonly #close: () => Promise<void> | void;
  readonly #notifications: Notifications | undefined;
  readonly #commitListeners = new Set<CommitListener>();
  readonly #fleetListeners = new Set<() => void>();
  #cancelPoll: () => void = () => undefined;
  #isClosed = false;
  /** The number up to which listeners have heard of everything. */
  #sequence = 0;
  /** The numbers behind it of changes that were made here. */
  readonly #own = new Set<number>();
  #mustLook = false;
  #isLooking = false;

  private constructor(config: DatabaseConfig, clock: Clock) {
    this.#clock = clock;
    this.isShared = config.kind === "postgres";
    if (config.kind === "embedded") {
      const file = EmbeddedFile.open(config.folder);
      this.query = new Kysely({ dialect: file.dialect() });
      this.#close = () => file.close();
    } else {
      const server = new PostgresServer(config);
      this.query = new Kysely({ dialect: server.dialect() });
      this.#close = () => server.close();
      this.#notifications = new Notifications(config, clock, (channel) => this.#heard(channel));
    }
  }

  /**
   * Opens the database and brings its tables up to date. Throws where another process has the embedded one open, and where no
   * server answers.
   */
  static async open(config: DatabaseConfig, clock: Clock): Promise<Database> {
    const database = new Database(config, clock);
    try {
      await database.#migrate(config.kind === "embedded" ? embeddedWords : postgresWords);
      database.#sequence = await database.lastSequence();
    } catch (failure) {
      await database.close();
      throw config.kind === "postgres" ? startFault(config, failure) : failure;
    }
    database.#notifications?.start();
    if (database.isShared) database.#pollLater();
    return database;
  }

  /**
   * Runs one change of the catalogue: everything that `work` does, together with the log of it, or nothing. `work` may run more
   * than once where others were in its way, so it does nothing but query. Settles when the change is on disk. CONTENTION where
   * others were in its way each time.
   */
  async change<Result>(
    actor: Actor,
    timeMs: number,
    work: (transaction: CatalogueTransaction) => Promise<Result>,
  ): Promise<Result> {
    for (let attempt = 1; ; attempt++) {
      try {
        const { result, changes, last } = await this.query
          .transaction()
          .execute((transaction) =>
            this.#attempt(new CatalogueTransaction(transaction, actor, timeMs, this.isShared), work),
          );
        if (changes.length > 0) this.#tellOwn(changes, last);
        return result;
      } catch (failure) {
        if (!isContention(failure)) throw failure;
        if (attempt === attemptsMax) throw contentionFault(failure);
      }
    }
  }

  /** Runs queries that all see the catalogue as of one moment. */
  snapshot<Result>(read: (query: Kysely<Schema>) => Promise<Result>): Promise<Result> {
    return this.query.transaction().setIsolationLevel("repeatable read").execute(read);
  }

  /** Calls back, at once, after every commit of a change; the answer ends that. */
  onCommit(listener: CommitListener): () => void {
    this.#commitListeners.add(listener);
    return () => this.#commitListeners.delete(listener);
  }

  /** Calls back when another registry says that the fleet has changed; the answer ends that. */
  onFleet(listener: () => void): () => void {
    this.#fleetListeners.add(listener);
    return () => this.#fleetListeners.delete(listener);
  }

  /** Tells other registries, when the transaction commits. */
  async notify(transaction: Kysely<Schema>, channel: Channel): Promise<void> {
    if (this.isShared) await sql`SELECT pg_notify(${channel}, '')`.execute(transaction);
  }

  /** The number of the last change; 0 where there is none. */
  async lastSequence(): Promise<number> {
    const row = await this.query
      .selectFrom("counters")
      .select("value")
      .where("name", "=", "changes")
      .executeTakeFirst();
    return row?.value ?? 0;
  }

  async close(): Promise<void> {
    this.#isClosed = true;
    this.#cancelPoll();
    await this.#notifications?.stop();
    await this.#close();
  }

  async #attempt<Result>(
    transaction: CatalogueTransaction,
    work: (transaction: CatalogueTransaction) => Promise<Result>,
  ): Promise<{ readonly result: Result; readonly changes: readonly Change[]; readonly last: number }> {
    const result = await work(transaction);
    const { changes } = transaction;
    if (changes.length === 0) return { result, changes, last: 0 };
    const last = await logChanges(transaction);
    await this.notify(transaction.query, "amaas_changes");
    return { result, changes, last };
  }

  async #migrate(words: Words): Promise<void> {
    await this.query.transaction().execute(async (transaction) => {
      if (this.isShared) {
        // However long another registry, or a step over a large table, takes.
        await sql`SET LOCAL statement_timeout = 0`.execute(transaction);
        await sql`SET LOCAL lock_timeout = 0`.execute(transaction);
        await sql`SELECT pg_advisory_xact_lock(${migrationLock})`.execute(transaction);
      }
      await sql`CREATE TABLE IF NOT EXISTS migrations (step INTEGER PRIMARY KEY)`.execute(transaction);
      const { rows } = await sql<{ step: number }>`SELECT max(step) AS step FROM migrations`.execute(transaction);
      const done = rows[0]?.step ?? 0;
      if (done > migrations.length) {
        throw new Error(
          `the catalogue has format ${done}, this release knows ${migrations.length}; use a newer release`,
        );
      }
      for (const [index, step] of migrations.entries()) {
        if (index < done) continue;
        for (const statement of step(words)) await sql.raw(statement).execute(transaction);
        await sql`INSERT INTO migrations (step) VALUES (${index + 1})`.execute(transaction);
      }
    });
  }

  #tell(changes: readonly Change[] | undefined, touched: readonly Touched[]): void {
    for (const listener of [...this.#commitListeners]) listener(changes, touched);
  }

  #tellOwn(changes: readonly Change[], last: number): void {
    // A look may have come before the answer to the commit.
    if (last <= this.#sequence) return;
    for (let sequence = last - changes.length + 1; this.isShared && sequence <= last; sequence++) {
      if (sequence > this.#sequence) this.#own.add(sequence);
    }
    this.#tell(changes, changes);
  }

  #heard(channel: Channel): void {
    if (channel === "amaas_fleet") for (const listener of [...this.#fleetListeners]) listener();
    // The next look comes anyway; calls say that the database is away.
    else this.#look().catch(() => undefined);
  }

  /** Reads what other registries have changed, once for all listeners and for all words of it that come meanwhile. */
  async #look(): Promise<void> {
    this.#mustLook = true;
    if (this.#isLooking) return;
    this.#isLooking = true;
    try {
      while (this.#mustLook && !this.#isClosed) {
        this.#mustLook = false;
        const rows = await this.query
          .selectFrom("changes")
          .select(["sequence", "kind", "resource", "model"])
          .where("sequence", ">", this.#sequence)
          .orderBy("sequence")
          .limit(rowsPerLook)
          .execute();
        this.#mustLook ||= rows.length === rowsPerLook;
        this.#sequence = rows.at(-1)?.sequence ?? this.#sequence;
        const touched = rows.filter(({ sequence }) => !this.#own.delete(sequence));
        if (touched.length > 0) this.#tell(undefined, touched);
      }
    } finally {
      this.#isLooking = false;
    }
  }

  /** Looks by itself too, for the time in which nothing can be heard. */
  #pollLater(): void {
    if (this.#isClosed) return;
    this.#cancelPoll = this.#clock.after(pollMs, () => {
      this.#look()
        .catch(() => undefined)
        .finally(() => this.#pollLater());
    });
  }
}

/**
 * Numbers the changes last of all, and answers the last number: the counter's row stays locked until the commit, so the numbers
 * follow the commits. So do the times, which the clocks of several registries alone would not.
 */
async function logChanges({ query, actor, timeMs, changes }: CatalogueTransaction): Promise<number> {
  const { value: last, time } = await query
    .updateTable("counters")
    .set((row) => ({
      value: row("value", "+", changes.length),
      time: row.case().when("time", "<", timeMs).then(timeMs).else(row.ref("time")).end(),
    }))
    .where("name", "=", "changes")
    .returning(["value", "time"])
    .executeTakeFirstOrThrow();
  const rows = changes.map(({ kind, resource, model, before, after }, index) => {
    const [before_json, after_json] = [before, after].map((value) =>
      value === undefined ? null : JSON.stringify(value),
    );
    return {
      sequence: last - changes.length + index + 1,
      time,
      principal: actor.principal,
      call: actor.call,
      request_id: actor.requestId,
      kind,
      resource,
      model,
      before_json,
      after_json,
      json_bytes: Buffer.byteLength(before_json ?? "") + Buffer.byteLength(after_json ?? ""),
    };
  });
  // A statement takes a bounded number of parameters.
  for (let begin = 0; begin < rows.length; begin += rowsPerInsert) {
    await query
      .insertInto("changes")
      .values(rows.slice(begin, begin + rowsPerInsert))
      .execute();
  }
  return last;
}

const rowsPerInsert = 50;

/** How many changes of other registries are read at once. */
const rowsPerLook = 1000;

/** How often a change is tried that others were in the way of. */
const attemptsMax = 5;

function contentionFault(cause: unknown): ServiceError {
  const message = `other changes were in the way of this one ${attemptsMax} times; nothing was changed`;
  return new ServiceError("CONTENTION", message, { retryDelayMs: 100, cause });
}

/** How often to look for changes of other registries, in milliseconds. */
const pollMs = 500;

/** Names the lock under which one registry at a time changes the tables; any number that nobody else uses. */
const migrationLock = 7_310_577_301;
