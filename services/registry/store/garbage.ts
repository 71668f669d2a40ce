import { sql } from "kysely";
import type { Clock } from "../../../lib/clock.ts";
import { artifactName } from "../../../lib/resource-names.ts";
import { recordArtifact } from "./artifacts.ts";
import type { Database } from "./database.ts";
import type { ArtifactRow } from "./schema.ts";
import type { Actor } from "./transaction.ts";

/** Which artifacts nothing refers to. Only those that are marked as COLLECTING lose their bytes, and then their rows. */
export class GarbageStore {
  readonly #database: Database;
  readonly #clock: Clock;

  constructor(database: Database, clock: Clock) {
    this.#database = database;
    this.#clock = clock;
  }

  /** Those that no version uses, and that nobody has held or uploaded since a time; in the order of their digests. */
  unneeded(sinceMs: number, after: string, count: number): Promise<ArtifactRow[]> {
    return this.#unneeded(this.#database.query, sinceMs).where("sha256", ">", after).limit(count).execute();
  }

  /** Marks those that are still unneeded: from here on nobody may refer to them. Answers them. */
  async mark(actor: Actor, sinceMs: number, sha256s: readonly string[]): Promise<readonly ArtifactRow[]> {
    return this.#database.change(actor, this.#clock.now(), async (transaction) => {
      await transaction.lockArtifacts(sha256s, "change");
      const rows = await this.#unneeded(transaction.query, sinceMs).where("sha256", "in", sha256s).execute();
      const marked = rows.map((row): ArtifactRow => ({ ...row, state: "COLLECTING" }));
      for (const [index, row] of marked.entries()) recordArtifact(transaction, rows[index], row);
      if (marked.length > 0) {
        await transaction.query
          .updateTable("artifacts")
          .set({ state: "COLLECTING" })
          .where("sha256", "in", shaOf(marked))
          .execute();
      }
      return marked;
    });
  }

  /** Those that are marked, also by others and by a process that has died; in the order of their digests. */
  marked(after: string, count: number): Promise<ArtifactRow[]> {
    return this.#database.query
      .selectFrom("artifacts")
      .selectAll()
      .where("state", "=", "COLLECTING")
      .where("sha256", ">", after)
      .orderBy("sha256")
      .limit(count)
      .execute();
  }

  /** Removes the rows of marked artifacts whose bytes are gone. Answers those that nobody has stored anew or removed. */
  async removed(actor: Actor, rows: readonly ArtifactRow[]): Promise<readonly ArtifactRow[]> {
    return this.#database.change(actor, this.#clock.now(), async (transaction) => {
      await transaction.lockArtifacts(shaOf(rows), "change");
      const gone = await transaction.query
        .deleteFrom("artifacts")
        .where("state", "=", "COLLECTING")
        .where("location", "in", locationsOf(rows))
        .returningAll()
        .execute();
      gone.sort((a, b) => (a.sha256 < b.sha256 ? -1 : 1));
      for (const row of gone) recordArtifact(transaction, row, undefined);
      return gone;
    });
  }

  /** Of bytes in the byte store those that no row names; by whoever was about to name them it has been done before the answer. */
  async orphans<Bytes extends { readonly sha256: string; readonly location: string }>(
    actor: Actor,
    bytes: readonly Bytes[],
  ): Promise<readonly Bytes[]> {
    if (bytes.length === 0) return [];
    return this.#database.change(actor, this.#clock.now(), async (transaction) => {
      await transaction.lockArtifacts(shaOf(bytes), "change");
      const rows = await transaction.query
        .selectFrom("artifacts")
        .select("location")
        .where("sha256", "in", shaOf(bytes))
        .execute();
      const named = new Set(locationsOf(rows));
      return bytes.filter(({ location }) => !named.has(location));
    });
  }

  #unneeded(query: Database["query"], sinceMs: number) {
    return query
      .selectFrom("artifacts")
      .selectAll()
      .where("state", "in", ["STORED", "CORRUPT"])
      .where("upload_time", "<", sinceMs)
      .where(({ not, exists, selectFrom }) =>
        not(
          exists(selectFrom("artifact_uses").select("model").whereRef("artifact_uses.sha256", "=", "artifacts.sha256")),
        ),
      )
      .where(({ not, exists, selectFrom }) =>
        not(
          exists(
            selectFrom("holds")
              .select("holder")
              .where("resource", "=", sql<string>`${artifactName("")} || artifacts.sha256`)
              .where("expire_time", ">=", sinceMs),
          ),
        ),
      )
      .orderBy("sha256");
  }
}

function shaOf(rows: readonly { readonly sha256: string }[]): string[] {
  return [...new Set(rows.map(({ sha256 }) => sha256))];
}

function locationsOf(rows: readonly { readonly location: string }[]): string[] {
  return rows.map(({ location }) => location);
}
