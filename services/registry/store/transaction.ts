import { type Kysely, sql, type Transaction } from "kysely";
import type { ModelRow, ResourceKind, Schema } from "./schema.ts";

/** Who changes the catalogue, by which call; kept with every change. */
export interface Actor {
  readonly principal: string;
  /** The name of the call, such as "UpdateAlias". */
  readonly call: string;
  readonly requestId: string;
}

/** Who acts where the registry acts by itself; no caller may have this name. */
export const registryPrincipal = "registry";

/** What the registry does by itself, under a name such as "ValidateVersion". */
export function ownActor(call: string): Actor {
  return { principal: registryPrincipal, call, requestId: "" };
}

/** One resource that a transaction has changed. */
export interface Change {
  readonly kind: ResourceKind;
  /** The name of the resource. */
  readonly resource: string;
  /** The id of the model that it is or belongs to; null where it belongs to none. */
  readonly model: string | null;
  /** As the contract has it; undefined where it was made. */
  readonly before: object | undefined;
  /** As the contract has it; undefined where it is gone. */
  readonly after: object | undefined;
}

/** One change of the catalogue on its way: queries, and what is to be told of it. */
export class CatalogueTransaction {
  readonly query: Kysely<Schema>;
  readonly actor: Actor;
  /** When it began, in milliseconds since 1970. */
  readonly timeMs: number;
  readonly #hasRowLocks: boolean;
  readonly #changes: Change[] = [];

  constructor(query: Transaction<Schema>, actor: Actor, timeMs: number, hasRowLocks: boolean) {
    this.query = query;
    this.actor = actor;
    this.timeMs = timeMs;
    this.#hasRowLocks = hasRowLocks;
  }

  get changes(): readonly Change[] {
    return this.#changes;
  }

  /** Puts a change into the log; it takes effect with the transaction. */
  record(change: Change): void {
    this.#changes.push(change);
  }

  /**
   * Reads a model's row, deleted or not, and keeps every other change of the model waiting until this one has ended. Whoever
   * changes a model or anything below it begins with this; whoever changes several locks them in the order of their ids.
   */
  lockModel(id: string): Promise<ModelRow | undefined> {
    return this.query
      .selectFrom("models")
      .selectAll()
      .where("id", "=", id)
      .$if(this.#hasRowLocks, (query) => query.forUpdate())
      .executeTakeFirst();
  }

  /**
   * Keeps artifacts as they are, whether they are there or not, until this transaction has ended: with "share" against every
   * change, with "change" also against those who share. Whoever locks models too locks the artifacts first, all at once.
   */
  async lockArtifacts(sha256s: readonly string[], mode: "share" | "change"): Promise<void> {
    if (!this.#hasRowLocks) return;
    // Not by their rows, which artifacts that are not there do not have.
    // Several share a lock: the server has room for a bounded number of them, and a version may have thousands of files.
    const keys = sha256s.map((sha256) => firstArtifactLock + (Number.parseInt(sha256.slice(0, 4), 16) % artifactLocks));
    const sorted = [...new Set(keys)].sort((a, b) => a - b).map(String);
    const lock = sql.raw(mode === "share" ? "pg_advisory_xact_lock_shared" : "pg_advisory_xact_lock");
    await sql`SELECT ${lock}(key) FROM unnest(${sorted}::bigint[]) AS key`.execute(this.query);
  }
}

/** The locks under which artifacts change are these numbers; nobody else uses them. */
const firstArtifactLock = 7_310_580_000;
const artifactLocks = 256;
