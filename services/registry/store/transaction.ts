import type { Kysely, Transaction } from "kysely";
import type { ModelRow, ResourceKind, Schema } from "./schema.ts";

/** Who changes the catalogue, by which call; kept with every change. */
export interface Actor {
  readonly principal: string;
  /** The name of the call, such as "UpdateAlias". */
  readonly call: string;
  readonly requestId: string;
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
}
