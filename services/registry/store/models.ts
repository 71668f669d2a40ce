import { randomUUID } from "node:crypto";
import { expressionBuilder, type Kysely } from "kysely";
import type { Clock } from "../../../lib/clock.ts";
import { ServiceError } from "../../../lib/errors.ts";
import { modelName } from "../../../lib/resource-names.ts";
import { modelMessage } from "../messages/model.ts";
import type { Database } from "./database.ts";
import { namesOf } from "./existing-names.ts";
import { bytesOf, type Page, readPage } from "./pages.ts";
import type { Compatibility, ModelRow, Schema } from "./schema.ts";
import type { Actor, CatalogueTransaction } from "./transaction.ts";

/** The fields of a model that its owner may change. */
export interface ModelFields {
  readonly owner: string;
  readonly description: string;
  readonly tags: Readonly<Record<string, string>>;
  readonly compatibility: Compatibility;
}

/** Which models are listed; what is given must all match. */
export interface ModelFilters {
  readonly idPrefix: string;
  /** Empty means every owner. */
  readonly owner: string;
  /** An empty value matches every value of the key. */
  readonly tags: Readonly<Record<string, string>>;
  readonly showDeleted: boolean;
}

/** The models of the catalogue. */
export class ModelStore {
  readonly #database: Database;
  readonly #clock: Clock;

  constructor(database: Database, clock: Clock) {
    this.#database = database;
    this.#clock = clock;
  }

  /** MODEL_EXISTS if the id is taken. */
  create(actor: Actor, id: string, fields: ModelFields): Promise<ModelRow> {
    return this.#change(actor, async (transaction) => {
      const row = await insertModel(transaction, id, fields);
      if (row !== undefined) return row;
      throw new ServiceError("MODEL_EXISTS", `model ${modelName(id)} exists already`, { metadata: { model: id } });
    });
  }

  /** Deleted or not; MODEL_NOT_FOUND names models that exist. */
  async get(id: string): Promise<ModelRow> {
    const { query } = this.#database;
    const row = await query.selectFrom("models").selectAll().where("id", "=", id).executeTakeFirst();
    return row ?? (await missingModel(query, id));
  }

  /** A page of at most `count` models whose id is behind `after`, in the order of their ids. */
  list(filters: ModelFilters, count: number, after = ""): Promise<Page<ModelRow>> {
    return this.#database.snapshot((query) => {
      const found = modelsBehind(query, filters, after);
      return readPage(
        count,
        (limit) => found.select(listedBytes.as("bytes")).limit(limit).execute(),
        (limit) => found.selectAll("models").limit(limit).execute(),
      );
    });
  }

  /** Sets some fields, if the etag is empty or the current one; MODEL_NOT_FOUND, MODEL_DELETED, ETAG_MISMATCH. */
  update(actor: Actor, id: string, fields: Partial<ModelFields>, etag: string): Promise<ModelRow> {
    return this.#change(actor, async (transaction) => {
      const before = await lockedModel(transaction, id);
      checkModelEtag(before, etag);
      const { tags, ...values } = fields;
      if (tags === undefined) return updateModel(transaction, before, values);
      await replaceTags(transaction, id, tags);
      return updateModel(transaction, before, { ...values, tags_json: JSON.stringify(tags) });
    });
  }

  /**
   * Takes a model out of service; one that is deleted stays as it is. MODEL_NOT_FOUND, ETAG_MISMATCH, and MODEL_IN_USE where it
   * has aliases and `force` is not set.
   */
  delete(actor: Actor, id: string, etag: string, force: boolean): Promise<ModelRow> {
    return this.#change(actor, async (transaction) => {
      const before = await lockedModelOrDeleted(transaction, id);
      if (before.delete_time !== null) return before;
      checkModelEtag(before, etag);
      if (!force) await checkUnused(transaction, id);
      return updateModel(transaction, before, { delete_time: transaction.timeMs });
    });
  }

  /** Brings a deleted model back; one that lives stays as it is. MODEL_NOT_FOUND. */
  undelete(actor: Actor, id: string): Promise<ModelRow> {
    return this.#change(actor, async (transaction) => {
      const before = await lockedModelOrDeleted(transaction, id);
      if (before.delete_time === null) return before;
      return updateModel(transaction, before, { delete_time: null });
    });
  }

  #change(actor: Actor, work: (transaction: CatalogueTransaction) => Promise<ModelRow>): Promise<ModelRow> {
    return this.#database.change(actor, this.#clock.now(), work);
  }
}

/** Locks a model that is to be changed, or anything below it. MODEL_NOT_FOUND names models that exist; MODEL_DELETED. */
export async function lockedModel(transaction: CatalogueTransaction, id: string): Promise<ModelRow> {
  const row = await lockedModelOrDeleted(transaction, id);
  if (row.delete_time === null) return row;
  const message = `model ${modelName(id)} is deleted; UndeleteModel brings it back`;
  throw new ServiceError("MODEL_DELETED", message, { metadata: { model: id } });
}

/** Like `lockedModel`, and makes the model where there is none. */
export async function lockedOrNewModel(transaction: CatalogueTransaction, id: string): Promise<ModelRow> {
  const known = await transaction.lockModel(id);
  if (known === undefined) {
    const made = await insertModel(transaction, id, {
      owner: "",
      description: "",
      tags: {},
      compatibility: "BACKWARD",
    });
    if (made !== undefined) return made;
  }
  return lockedModel(transaction, id);
}

/** Throws MODEL_NOT_FOUND if there is no such model, deleted or not. */
export async function checkModel(query: Kysely<Schema>, model: string): Promise<void> {
  const row = await query.selectFrom("models").select("id").where("id", "=", model).executeTakeFirst();
  if (row === undefined) await missingModel(query, model);
}

/** Throws MODEL_NOT_FOUND with the names of models that exist. */
async function missingModel(query: Kysely<Schema>, id: string): Promise<never> {
  const rows = await query
    .selectFrom("models")
    .select("id")
    .where("delete_time", "is", null)
    .orderBy("id")
    .limit(11)
    .execute();
  const message = `there is no model ${modelName(id)}; there are: ${namesOf(rows.map((row) => row.id))}`;
  throw new ServiceError("MODEL_NOT_FOUND", message, { metadata: { model: id } });
}

/** The etag that a caller sent is not the current one. */
export function staleEtag(name: string, seen: string, current: string): ServiceError {
  const message = `${name} has changed: etag is ${JSON.stringify(seen.slice(0, 100))}; needed: ${JSON.stringify(current)}`;
  return new ServiceError("ETAG_MISMATCH", message, { metadata: { etag: current } });
}

/** Undefined if the id is taken. */
async function insertModel(
  transaction: CatalogueTransaction,
  id: string,
  { tags, ...values }: ModelFields,
): Promise<ModelRow | undefined> {
  const { timeMs } = transaction;
  const times = { create_time: timeMs, update_time: timeMs, delete_time: null };
  const row = { id, ...values, tags_json: JSON.stringify(tags), ...times, etag: randomUUID(), next_version: 1 };
  const { numInsertedOrUpdatedRows } = await transaction.query
    .insertInto("models")
    .values(row)
    .onConflict((conflict) => conflict.doNothing())
    .executeTakeFirstOrThrow();
  if (numInsertedOrUpdatedRows === 0n) return undefined;
  await insertTags(transaction, id, tags);
  recordModel(transaction, undefined, row);
  return row;
}

async function updateModel(
  transaction: CatalogueTransaction,
  before: ModelRow,
  values: Partial<ModelRow>,
): Promise<ModelRow> {
  const after = { ...before, ...values, update_time: transaction.timeMs, etag: randomUUID() };
  await transaction.query.updateTable("models").set(after).where("id", "=", before.id).execute();
  recordModel(transaction, before, after);
  return after;
}

async function replaceTags(transaction: CatalogueTransaction, model: string, tags: ModelFields["tags"]): Promise<void> {
  await transaction.query.deleteFrom("model_tags").where("model", "=", model).execute();
  await insertTags(transaction, model, tags);
}

async function insertTags({ query }: CatalogueTransaction, model: string, tags: ModelFields["tags"]): Promise<void> {
  const rows = Object.entries(tags).map(([key, value]) => ({ model, key, value }));
  if (rows.length > 0) await query.insertInto("model_tags").values(rows).execute();
}

function recordModel(transaction: CatalogueTransaction, before: ModelRow | undefined, after: ModelRow): void {
  transaction.record({
    kind: "MODEL",
    resource: modelName(after.id),
    model: after.id,
    before: before && modelMessage(before),
    after: modelMessage(after),
  });
}

/** Those behind the id `after`, in the order of their ids. */
function modelsBehind(query: Kysely<Schema>, { idPrefix, owner, tags, showDeleted }: ModelFilters, after: string) {
  // One of the tags leads the way, so that a page costs as little where few models have it.
  const [leading, ...others] = Object.entries(tags);
  const begin = after < idPrefix ? ({ is: ">=", id: idPrefix } as const) : ({ is: ">", id: after } as const);
  return (
    query
      .selectFrom("models")
      .$if(leading === undefined, (models) => models.where("models.id", begin.is, begin.id).orderBy("models.id"))
      .$if(leading !== undefined, (models) =>
        models
          .innerJoin("model_tags as tag", "tag.model", "models.id")
          .where("tag.key", "=", leading[0])
          .$if(leading[1] !== "", (tagged) => tagged.where("tag.value", "=", leading[1]))
          .where("tag.model", begin.is, begin.id)
          .orderBy("tag.model"),
      )
      // Behind every character that an id may have.
      .$if(idPrefix !== "", (models) => models.where("models.id", "<", `${idPrefix}~`))
      .$if(owner !== "", (models) => models.where("owner", "=", owner))
      .$if(!showDeleted, (models) => models.where("delete_time", "is", null))
      .where(({ and, exists }) => and(others.map((pair) => exists(taggedWith(pair)))))
  );
}

const listedBytes = bytesOf(["owner", "description", "tags_json"], 300);

/** Finds the tag of the model that the query around it is about. */
function taggedWith([key, value]: readonly [string, string]) {
  return expressionBuilder<Schema, "models">()
    .selectFrom("model_tags")
    .select("model_tags.model")
    .whereRef("model_tags.model", "=", "models.id")
    .where("key", "=", key)
    .$if(value !== "", (query) => query.where("value", "=", value));
}

async function lockedModelOrDeleted(transaction: CatalogueTransaction, id: string): Promise<ModelRow> {
  return (await transaction.lockModel(id)) ?? (await missingModel(transaction.query, id));
}

function checkModelEtag({ id, etag }: ModelRow, seen: string): void {
  if (seen !== "" && seen !== etag) throw staleEtag(modelName(id), seen, etag);
}

async function checkUnused({ query }: CatalogueTransaction, id: string): Promise<void> {
  const rows = await query.selectFrom("aliases").select("id").where("model", "=", id).orderBy("id").limit(11).execute();
  if (rows.length === 0) return;
  const message = `model ${modelName(id)} has aliases: ${namesOf(rows.map((row) => row.id))}; needed: none, or force`;
  throw new ServiceError("MODEL_IN_USE", message, { metadata: { model: id } });
}
