import { randomUUID } from "node:crypto";
import type { Kysely } from "kysely";
import { ServiceError } from "../../../lib/errors.ts";
import { aliasName } from "../../../lib/resource-names.ts";
import { staleEtag } from "./models.ts";
import type { AliasRow, Schema } from "./schema.ts";
import { checkModel, VersionStore } from "./versions.ts";

/** Where an alias is to point. */
export interface AliasMove {
  readonly model: string;
  readonly id: string;
  readonly version: number;
  /** Empty, or the etag that the alias must have. */
  readonly etag: string;
  readonly allowMissing: boolean;
}

/** The aliases of the catalogue. */
export class AliasStore {
  readonly #query: Kysely<Schema>;

  constructor(query: Kysely<Schema>) {
    this.#query = query;
  }

  /** MODEL_NOT_FOUND, ALIAS_NOT_FOUND. */
  async get(model: string, id: string): Promise<AliasRow> {
    return (await find(this.#query, model, id)) ?? (await new VersionStore(this.#query).missing(model, { alias: id }));
  }

  /** At most `count` aliases of a model behind the id `after`, in the order of their ids; MODEL_NOT_FOUND. */
  async list(model: string, count: number, after: string | undefined): Promise<AliasRow[]> {
    const rows = await this.#query
      .selectFrom("aliases")
      .selectAll()
      .where("model", "=", model)
      .$if(after !== undefined, (query) => query.where("id", ">", after!))
      .orderBy("id")
      .limit(count)
      .execute();
    if (rows.length === 0) await checkModel(this.#query, model);
    return rows;
  }

  /** Points an alias at an existing version; VERSION_NOT_FOUND, ALIAS_NOT_FOUND, ETAG_MISMATCH. */
  move({ model, id, version, etag, allowMissing }: AliasMove, timeMs: number): Promise<AliasRow> {
    return this.#query.transaction().execute(async (transaction) => {
      const versions = new VersionStore(transaction);
      await versions.get(model, { number: version });
      const known = await find(transaction, model, id);
      if (known === undefined && !allowMissing) return versions.missing(model, { alias: id });
      checkEtag(model, id, etag, known);
      const row = { model, id, version, update_time: timeMs, etag: randomUUID() };
      await transaction
        .insertInto("aliases")
        .values(row)
        .onConflict((conflict) => conflict.columns(["model", "id"]).doUpdateSet(row))
        .execute();
      return row;
    });
  }

  /** ALIAS_NOT_FOUND, ETAG_MISMATCH. */
  remove(model: string, id: string, etag: string): Promise<void> {
    return this.#query.transaction().execute(async (transaction) => {
      const known = await find(transaction, model, id);
      if (known === undefined) return new VersionStore(transaction).missing(model, { alias: id });
      checkEtag(model, id, etag, known);
      await transaction.deleteFrom("aliases").where("model", "=", model).where("id", "=", id).execute();
    });
  }
}

function find(query: Kysely<Schema>, model: string, id: string): Promise<AliasRow | undefined> {
  return query.selectFrom("aliases").selectAll().where("model", "=", model).where("id", "=", id).executeTakeFirst();
}

function checkEtag(model: string, id: string, seen: string, known: AliasRow | undefined): void {
  if (seen === "" || seen === known?.etag) return;
  if (known !== undefined) throw staleEtag(aliasName(model, id), seen, known.etag);
  throw new ServiceError("ETAG_MISMATCH", `${aliasName(model, id)} does not exist; needed: no etag`, {
    metadata: { etag: "" },
  });
}
