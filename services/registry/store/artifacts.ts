import type { Clock } from "../../../lib/clock.ts";
import { ServiceError } from "../../../lib/errors.ts";
import { artifactName } from "../../../lib/resource-names.ts";
import { artifactMessage } from "../messages/artifact.ts";
import type { Database } from "./database.ts";
import type { ArtifactRow } from "./schema.ts";
import type { Actor, CatalogueTransaction } from "./transaction.ts";

/** Called in the transaction that stores or heals an artifact, which is locked and whose row says so already. */
export type OnStored = (transaction: CatalogueTransaction, sha256: string) => Promise<void>;

/** Verified bytes that lie in the byte store and that no row names yet. */
export interface NewBytes {
  readonly sha256: string;
  readonly sizeBytes: number;
  readonly location: string;
  /** When they began to be written there, in milliseconds since 1970. */
  readonly writeTimeMs: number;
}

/** Which artifacts there are, where their bytes lie, and whether these are right. */
export class ArtifactStore {
  readonly #database: Database;
  readonly #clock: Clock;
  readonly #onStored: OnStored;

  constructor(database: Database, clock: Clock, onStored: OnStored) {
    this.#database = database;
    this.#clock = clock;
    this.#onStored = onStored;
  }

  /** ARTIFACT_NOT_FOUND. */
  async get(sha256: string): Promise<ArtifactRow> {
    return (await this.find(sha256)) ?? missing(sha256);
  }

  find(sha256: string): Promise<ArtifactRow | undefined> {
    return this.#database.query.selectFrom("artifacts").selectAll().where("sha256", "=", sha256).executeTakeFirst();
  }

  /** In the order of their digests, behind `after`, at most `count`. */
  list(after: string, count: number, state?: ArtifactRow["state"]): Promise<ArtifactRow[]> {
    return this.#database.query
      .selectFrom("artifacts")
      .selectAll()
      .where("sha256", ">", after)
      .$if(state !== undefined, (query) => query.where("state", "=", state!))
      .orderBy("sha256")
      .limit(count)
      .execute();
  }

  /** Those that were not read again since a time, in the order of their digests; not those that are being removed. */
  unread(sinceMs: number, after: string, count: number): Promise<ArtifactRow[]> {
    return this.#database.query
      .selectFrom("artifacts")
      .selectAll()
      .where("sha256", ">", after)
      .where("state", "in", ["STORED", "CORRUPT"])
      .where(({ eb, or }) => or([eb("scrub_time", "is", null), eb("scrub_time", "<", sinceMs)]))
      .orderBy("sha256")
      .limit(count)
      .execute();
  }

  /**
   * Makes bytes those of the artifact, whether it is new, corrupt or being removed; where it is stored already, its own stay.
   * Answers its row, and the location of the bytes that are not used from now on, if there are any. SERVICE_UNAVAILABLE where
   * they have been there for so long that the collector may have taken them for orphans.
   */
  async stored(actor: Actor, bytes: NewBytes): Promise<{ readonly row: ArtifactRow; readonly unused?: string }> {
    const { sha256, sizeBytes, location, writeTimeMs } = bytes;
    const now = this.#clock.now();
    return this.#database.change(actor, now, async (transaction) => {
      if (this.#clock.now() - writeTimeMs > storeMsMax) throw tooLate(sha256);
      const before = await changing(transaction, sha256);
      if (before?.state === "STORED") {
        return { row: await update(transaction, sha256, { upload_time: now }), unused: location };
      }
      const values = { state: "STORED", location, upload_time: now, scrub_time: null } as const;
      const row =
        before === undefined
          ? await insert(transaction, { sha256, size_bytes: sizeBytes, create_time: now, ...values })
          : await update(transaction, sha256, values);
      recordArtifact(transaction, before, row);
      await this.#onStored(transaction, sha256);
      return { row, unused: before?.location };
    });
  }

  /** Lets the grace of a stored artifact begin anew; undefined where it is not stored at this location any more. */
  async renew(actor: Actor, { sha256, location }: ArtifactRow): Promise<ArtifactRow | undefined> {
    const now = this.#clock.now();
    return this.#database.change(actor, now, async (transaction) => {
      const row = await changing(transaction, sha256);
      if (row?.state !== "STORED" || row.location !== location) return undefined;
      return update(transaction, sha256, { upload_time: now });
    });
  }

  /** Says that the bytes at the row's location are wrong or gone; nothing happens where others have taken their place. */
  async corrupted(actor: Actor, { sha256, location }: ArtifactRow): Promise<void> {
    await this.#database.change(actor, this.#clock.now(), async (transaction) => {
      const before = await changing(transaction, sha256);
      if (before?.state !== "STORED" || before.location !== location) return;
      recordArtifact(transaction, before, await update(transaction, sha256, { state: "CORRUPT" }));
    });
  }

  /** Says that the bytes at the row's location have been read and are right, so that an artifact that was corrupt is none. */
  async intact(actor: Actor, { sha256, location }: ArtifactRow): Promise<void> {
    const now = this.#clock.now();
    await this.#database.change(actor, now, async (transaction) => {
      const before = await changing(transaction, sha256);
      if (before === undefined || before.state === "COLLECTING" || before.location !== location) return;
      const row = await update(transaction, sha256, { state: "STORED", scrub_time: now });
      if (before.state === "STORED") return;
      recordArtifact(transaction, before, row);
      await this.#onStored(transaction, sha256);
    });
  }
}

/**
 * The rows of those artifacts that are stored. Until the transaction ends, they stay so, and none of the others becomes stored.
 * To be called once, for all artifacts that it is about, and before any model is locked.
 */
export async function storedArtifacts(
  transaction: CatalogueTransaction,
  sha256s: readonly string[],
): Promise<ReadonlyMap<string, ArtifactRow>> {
  if (sha256s.length === 0) return new Map();
  await transaction.lockArtifacts(sha256s, "share");
  const rows = await transaction.query
    .selectFrom("artifacts")
    .selectAll()
    .where("sha256", "in", [...new Set(sha256s)])
    .where("state", "=", "STORED")
    .execute();
  return new Map(rows.map((row) => [row.sha256, row]));
}

/** The row of an artifact that is stored, and stays so until the transaction ends. Throws what `checkStored` throws. */
export async function storedArtifact(transaction: CatalogueTransaction, sha256: string): Promise<ArtifactRow> {
  await transaction.lockArtifacts([sha256], "share");
  return checkStored((await rowOf(transaction, sha256)) ?? missing(sha256));
}

/** Throws ARTIFACT_CORRUPT or ARTIFACT_COLLECTING where an artifact is not to be used. */
export function checkStored(row: ArtifactRow): ArtifactRow {
  if (row.state === "CORRUPT") throw corrupt(row.sha256, "are gone or wrong");
  if (row.state === "STORED") return row;
  const message = `${artifactName(row.sha256)} is being removed, because nothing referred to it; upload it again`;
  throw new ServiceError("ARTIFACT_COLLECTING", message, { metadata: { sha256: row.sha256 }, retryDelayMs: 1000 });
}

/** What a reader is told whose artifact is not what it should be. */
export function corrupt(sha256: string, why: string, cause?: unknown): ServiceError {
  const message = `the bytes of ${artifactName(sha256)} ${why}; upload it again`;
  return new ServiceError("ARTIFACT_CORRUPT", message, { metadata: { sha256 }, cause });
}

/** Puts what became of an artifact into the log. */
export function recordArtifact(
  transaction: CatalogueTransaction,
  before: ArtifactRow | undefined,
  after: ArtifactRow | undefined,
): void {
  transaction.record({
    kind: "ARTIFACT",
    resource: artifactName((before ?? after)!.sha256),
    model: null,
    before: before && artifactMessage(before),
    after: after && artifactMessage(after),
  });
}

/**
 * How long it may take, in milliseconds, from the moment at which bytes begin to be written to the byte store until a row
 * names them. The collector leaves bytes that no row names for longer.
 */
export const storeMsMax = 45 * 60_000;

/** Reads an artifact's row, and keeps everybody else waiting who changes or needs it. */
async function changing(transaction: CatalogueTransaction, sha256: string): Promise<ArtifactRow | undefined> {
  await transaction.lockArtifacts([sha256], "change");
  return rowOf(transaction, sha256);
}

function rowOf({ query }: CatalogueTransaction, sha256: string): Promise<ArtifactRow | undefined> {
  return query.selectFrom("artifacts").selectAll().where("sha256", "=", sha256).executeTakeFirst();
}

function insert({ query }: CatalogueTransaction, row: ArtifactRow): Promise<ArtifactRow> {
  return query.insertInto("artifacts").values(row).returningAll().executeTakeFirstOrThrow();
}

function update({ query }: CatalogueTransaction, sha256: string, values: Partial<ArtifactRow>): Promise<ArtifactRow> {
  return query
    .updateTable("artifacts")
    .set(values)
    .where("sha256", "=", sha256)
    .returningAll()
    .executeTakeFirstOrThrow();
}

function missing(sha256: string): never {
  throw new ServiceError("ARTIFACT_NOT_FOUND", `there is no ${artifactName(sha256)}; upload it first`, {
    metadata: { sha256 },
  });
}

function tooLate(sha256: string): ServiceError {
  const message = `storing ${artifactName(sha256)} took longer than ${storeMsMax / 60_000} minutes; upload it again`;
  return new ServiceError("SERVICE_UNAVAILABLE", message, { retryDelayMs: 1000 });
}
