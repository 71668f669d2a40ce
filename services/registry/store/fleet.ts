import { type RawBuilder, sql } from "kysely";
import type { Database } from "./database.ts";
import type { NodeRow } from "./schema.ts";

/** A registry on the same database, and how long ago it last said that it lives, by the database's clock. */
export interface RegistryBeat {
  readonly id: string;
  readonly ageMs: number;
}

/** Which state of a node of another registry the database has. */
export type NodeStamp = Pick<NodeRow, "id" | "registry" | "revision">;

/** A state of a node that is connected here. */
export interface NodeWrite {
  readonly id: string;
  readonly revision: number;
  readonly stateJson: string;
}

/** Where registries that share a PostgreSQL tell each other which nodes are connected to them. */
export class FleetStore {
  readonly #database: Database;
  readonly #registry: string;

  /** `registry` is this one's id. */
  constructor(database: Database, registry: string) {
    this.#database = database;
    this.#registry = registry;
  }

  /** Says that this registry lives; answers what the others have said, and of itself what it had said before. */
  beat(): Promise<readonly RegistryBeat[]> {
    const beat = { id: this.#registry, heartbeat_time: databaseTimeMs };
    // The rows are those before the beat.
    return this.#database.query
      .with("beat", (query) =>
        query
          .insertInto("registries")
          .values(beat)
          .onConflict((conflict) =>
            conflict.column("id").doUpdateSet(({ ref }) => ({ heartbeat_time: ref("excluded.heartbeat_time") })),
          ),
      )
      .selectFrom("registries")
      .select(["id", sql<number>`${databaseTimeMs} - heartbeat_time`.as("ageMs")])
      .execute();
  }

  /** Removes registries that have died, and their nodes. */
  async forget(registries: readonly string[]): Promise<void> {
    await this.#database.query.deleteFrom("nodes").where("registry", "in", registries).execute();
    await this.#database.query.deleteFrom("registries").where("id", "in", registries).execute();
  }

  /**
   * Writes states of nodes that are connected here, removes those that have left, and tells the other registries. A node that
   * has `joined` becomes this registry's; any other one stays another registry's if it has become that.
   */
  async write(joined: readonly NodeWrite[], changed: readonly NodeWrite[], left: readonly string[]): Promise<void> {
    await this.#database.query.transaction().execute(async (transaction) => {
      // In one order, so that two registries never wait for each other.
      for (const { id, revision, stateJson } of [...joined, ...changed].sort((a, b) => (a.id < b.id ? -1 : 1))) {
        const mayTake = joined.some((node) => node.id === id);
        await transaction
          .insertInto("nodes")
          .values({ id, registry: this.#registry, revision, state_json: stateJson })
          .onConflict((conflict) => {
            const update = { registry: this.#registry, revision, state_json: stateJson };
            const taken = conflict.column("id").doUpdateSet(update);
            return mayTake ? taken : taken.where("nodes.registry", "=", this.#registry);
          })
          .execute();
      }
      if (left.length > 0) {
        await transaction.deleteFrom("nodes").where("id", "in", left).where("registry", "=", this.#registry).execute();
      }
      await this.#database.notify(transaction, "amaas_fleet");
    });
  }

  /** Of all nodes that are connected to others. */
  stamps(): Promise<readonly NodeStamp[]> {
    return this.#database.query
      .selectFrom("nodes")
      .select(["id", "registry", "revision"])
      .where("registry", "!=", this.#registry)
      .execute();
  }

  /** Of these nodes, as far as they are there. */
  states(ids: readonly string[]): Promise<readonly NodeRow[]> {
    return this.#database.query.selectFrom("nodes").selectAll().where("id", "in", ids).execute();
  }
}

const databaseTimeMs: RawBuilder<number> = sql`(extract(epoch FROM clock_timestamp()) * 1000)::bigint`;
