import { randomUUID } from "node:crypto";
import type { Kysely } from "kysely";
import { ServiceError } from "../../../lib/errors.ts";
import { modelName } from "../../../lib/resource-names.ts";
import { namesOf } from "./existing-names.ts";
import type { ModelRow, Schema } from "./schema.ts";

/** The fields of a model that its owner may change. */
export interface ModelFields {
  readonly owner: string;
  readonly description: string;
  readonly tags: Readonly<Record<string, string>>;
}

/** The models of the catalogue. */
export class ModelStore {
  readonly #query: Kysely<Schema>;

  constructor(query: Kysely<Schema>) {
    this.#query = query;
  }

  /** MODEL_EXISTS if the id is taken. */
  async create(id: string, fields: ModelFields, timeMs: number): Promise<ModelRow> {
    const row = newModel(id, fields, timeMs);
    const { numInsertedOrUpdatedRows } = await this.#query
      .insertInto("models")
      .values(row)
      .onConflict((conflict) => conflict.doNothing())
      .executeTakeFirstOrThrow();
    if (numInsertedOrUpdatedRows === 1n) return row;
    throw new ServiceError("MODEL_EXISTS", `model ${modelName(id)} exists already`, { metadata: { model: id } });
  }

  /** MODEL_NOT_FOUND names models that exist. */
  async get(id: string): Promise<ModelRow> {
    const row = await this.#query.selectFrom("models").selectAll().where("id", "=", id).executeTakeFirst();
    return row ?? (await missingModel(this.#query, id));
  }

  /** At most `count` models whose id is behind `after`, in the order of their ids. */
  list(count: number, after: string | undefined): Promise<ModelRow[]> {
    return this.#query
      .selectFrom("models")
      .selectAll()
      .$if(after !== undefined, (query) => query.where("id", ">", after!))
      .orderBy("id")
      .limit(count)
      .execute();
  }

  /** Sets some fields, if the etag is empty or the current one; MODEL_NOT_FOUND, ETAG_MISMATCH. */
  async update(id: string, changes: Partial<ModelFields>, etag: string, timeMs: number): Promise<ModelRow> {
    const { tags, ...texts } = changes;
    const set = { ...texts, ...(tags && { tags_json: JSON.stringify(tags) }), update_time: timeMs, etag: randomUUID() };
    const row = await this.#query
      .updateTable("models")
      .set(set)
      .where("id", "=", id)
      .$if(etag !== "", (query) => query.where("etag", "=", etag))
      .returningAll()
      .executeTakeFirst();
    if (row !== undefined) return row;
    throw staleEtag(modelName(id), etag, (await this.get(id)).etag);
  }
}

/** A model that has no versions yet. */
export function newModel(id: string, { owner, description, tags }: ModelFields, timeMs: number): ModelRow {
  const times = { create_time: timeMs, update_time: timeMs };
  return { id, owner, description, tags_json: JSON.stringify(tags), ...times, etag: randomUUID(), next_version: 1 };
}

/** Throws MODEL_NOT_FOUND with the names of models that exist. */
export async function missingModel(query: Kysely<Schema>, id: string): Promise<never> {
  const rows = await query.selectFrom("models").select("id").orderBy("id").limit(11).execute();
  const message = `there is no model ${modelName(id)}; there are: ${namesOf(rows.map((row) => row.id))}`;
  throw new ServiceError("MODEL_NOT_FOUND", message, { metadata: { model: id } });
}

/** The etag that a caller sent is not the current one. */
export function staleEtag(name: string, seen: string, current: string): ServiceError {
  const message = `${name} has changed: etag is ${JSON.stringify(seen)}; needed: ${JSON.stringify(current)}`;
  return new ServiceError("ETAG_MISMATCH", message, { metadata: { etag: current } });
}
