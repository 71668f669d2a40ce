import type { Kysely, Transaction } from "kysely";
import { ServiceError } from "../../../lib/errors.ts";
import { artifactName, type VersionChoice, versionName } from "../../../lib/resource-names.ts";
import { namesOf } from "./existing-names.ts";
import { missingModel, newModel } from "./models.ts";
import type { Schema, VersionRow } from "./schema.ts";

/** A version before it has a number. */
export type NewVersion = Omit<VersionRow, "number">;

/** The versions of the catalogue. None ever changes. */
export class VersionStore {
  readonly #query: Kysely<Schema>;

  constructor(query: Kysely<Schema>) {
    this.#query = query;
  }

  /**
   * Gives the version the next number of its model; or answers the version that the same request id made before.
   * MODEL_NOT_FOUND unless `allowMissingModel`; REQUEST_INVALID where the request id belongs to another artifact.
   */
  create(version: NewVersion, allowMissingModel: boolean): Promise<VersionRow> {
    return this.#query.transaction().execute(async (transaction) => {
      const made = await madeBefore(transaction, version);
      if (made !== undefined) return made;
      if (allowMissingModel) {
        const model = newModel(version.model, { owner: "", description: "", tags: {} }, version.create_time);
        await transaction
          .insertInto("models")
          .values(model)
          .onConflict((conflict) => conflict.doNothing())
          .execute();
      }
      const counted = await transaction
        .updateTable("models")
        .set((row) => ({ next_version: row("next_version", "+", 1) }))
        .where("id", "=", version.model)
        .returning("next_version")
        .executeTakeFirst();
      if (counted === undefined) return missingModel(transaction, version.model);
      const row = { ...version, number: counted.next_version - 1 };
      await transaction.insertInto("versions").values(row).execute();
      return row;
    });
  }

  /** By number or alias; MODEL_NOT_FOUND, VERSION_NOT_FOUND or ALIAS_NOT_FOUND name what exists. */
  async get(model: string, choice: VersionChoice): Promise<VersionRow> {
    const query = this.#query.selectFrom("versions").selectAll("versions").where("versions.model", "=", model);
    const row =
      "number" in choice
        ? await query.where("number", "=", choice.number).executeTakeFirst()
        : await query
            .innerJoin("aliases", (join) =>
              join.onRef("aliases.model", "=", "versions.model").onRef("aliases.version", "=", "versions.number"),
            )
            .where("aliases.id", "=", choice.alias)
            .executeTakeFirst();
    return row ?? (await this.missing(model, choice));
  }

  /** At most `count` versions of a model below the number `before`, newest first; MODEL_NOT_FOUND. */
  async list(model: string, count: number, before: number | undefined): Promise<VersionRow[]> {
    const rows = await this.#query
      .selectFrom("versions")
      .selectAll()
      .where("model", "=", model)
      .$if(before !== undefined, (query) => query.where("number", "<", before!))
      .orderBy("number", "desc")
      .limit(count)
      .execute();
    if (rows.length === 0) await checkModel(this.#query, model);
    return rows;
  }

  /** Throws what is missing, with the names of what exists. */
  async missing(model: string, choice: VersionChoice): Promise<never> {
    await checkModel(this.#query, model);
    const numbers = await this.#query
      .selectFrom("versions")
      .select("number")
      .where("model", "=", model)
      .orderBy("number", "desc")
      .limit(11)
      .execute();
    const aliases = await this.#query.selectFrom("aliases").select("id").where("model", "=", model).limit(11).execute();
    const exist = `there are versions: ${namesOf(numbers.map((row) => row.number))}; aliases: ${namesOf(aliases.map((row) => row.id))}`;
    const metadata = { model };
    if ("number" in choice) {
      throw new ServiceError("VERSION_NOT_FOUND", `there is no ${versionName(model, choice.number)}; ${exist}`, {
        metadata,
      });
    }
    throw new ServiceError("ALIAS_NOT_FOUND", `model ${model} has no alias ${choice.alias}; ${exist}`, { metadata });
  }
}

/** Throws MODEL_NOT_FOUND if there is no such model. */
export async function checkModel(query: Kysely<Schema>, model: string): Promise<void> {
  const row = await query.selectFrom("models").select("id").where("id", "=", model).executeTakeFirst();
  if (row === undefined) await missingModel(query, model);
}

async function madeBefore(transaction: Transaction<Schema>, version: NewVersion): Promise<VersionRow | undefined> {
  if (version.request_id === null) return undefined;
  const made = await transaction
    .selectFrom("versions")
    .selectAll()
    .where("model", "=", version.model)
    .where("request_id", "=", version.request_id)
    .executeTakeFirst();
  if (made === undefined || made.sha256 === version.sha256) return made;
  const message =
    `request_id ${JSON.stringify(version.request_id)} made ${versionName(made.model, made.number)} ` +
    `of ${artifactName(made.sha256)}; needed: the same artifact, or another request_id`;
  throw new ServiceError("REQUEST_INVALID", message, {
    metadata: { field: "request_id", version: versionName(made.model, made.number) },
  });
}
