import type { Kysely } from "kysely";
import { expressionBuilder } from "kysely";
import type { Clock } from "../../../lib/clock.ts";
import { ServiceError } from "../../../lib/errors.ts";
import { aliasName, type VersionChoice, versionName } from "../../../lib/resource-names.ts";
import type { Database } from "./database.ts";
import { namesOf } from "./existing-names.ts";
import { checkModel, lockedModel, staleEtag } from "./models.ts";
import { type Page, readPage } from "./pages.ts";
import type { Schema, VersionState } from "./schema.ts";
import type { Actor, CatalogueTransaction } from "./transaction.ts";
import { afterRefusal } from "./variants.ts";
import {
  type FullVersion,
  findVersion,
  listedBytes,
  listedColumns,
  saveVersion,
  withVariants,
} from "./version-rows.ts";

/** Which versions of a model are listed; what is given must all match. */
export interface VersionFilters {
  /** Empty means all but DELETED. */
  readonly states: readonly VersionState[];
  /** An empty value matches every value of the key. */
  readonly tags: Readonly<Record<string, string>>;
}

/** A change of the state of a version. */
export interface StateChange {
  readonly model: string;
  readonly number: number;
  readonly reason: string;
  /** Empty, or the etag that the version must have. */
  readonly etag: string;
}

/** The versions of the catalogue, from their registration on. */
export class VersionStore {
  readonly #database: Database;
  readonly #clock: Clock;

  constructor(database: Database, clock: Clock) {
    this.#database = database;
    this.#clock = clock;
  }

  /**
   * By number, or by alias: then the heaviest target, of equals the first. MODEL_NOT_FOUND, VERSION_NOT_FOUND and
   * ALIAS_NOT_FOUND name what exists.
   */
  get(model: string, choice: VersionChoice): Promise<FullVersion> {
    return this.#database.snapshot(async (query) => {
      const number = "number" in choice ? choice.number : await heaviestTarget(query, model, choice.alias);
      const full = number === undefined ? undefined : await findVersion(query, model, number);
      return full ?? (await missingVersion(query, model, choice));
    });
  }

  /**
   * A page of at most `count` versions of a model below the number `before`, newest first, without model cards; MODEL_NOT_FOUND.
   */
  list(
    model: string,
    { states, tags }: VersionFilters,
    count: number,
    before: number | undefined,
  ): Promise<Page<FullVersion>> {
    return this.#database.snapshot(async (query) => {
      const found = query
        .selectFrom("versions")
        .where("model", "=", model)
        .$if(before !== undefined, (rows) => rows.where("number", "<", before!))
        .$if(states.length === 0, (rows) => rows.where("state", "!=", "DELETED"))
        .$if(states.length > 0, (rows) => rows.where("state", "in", states))
        .where(({ and, exists }) => and(Object.entries(tags).map((pair) => exists(taggedWith(pair)))))
        .orderBy("number", "desc");
      const page = await readPage(
        count,
        (limit) => found.select(listedBytes.as("bytes")).limit(limit).execute(),
        (limit) => found.select(listedColumns).limit(limit).execute(),
      );
      if (page.rows.length === 0) await checkModel(query, model);
      return { ...page, rows: await withVariants(query, model, page.rows) };
    });
  }

  /** Replaces the tags. VERSION_STATE where the version is deleted; ETAG_MISMATCH, and what `lockedVersion` throws. */
  updateTags(
    actor: Actor,
    model: string,
    number: number,
    tags: Readonly<Record<string, string>>,
    etag: string,
  ): Promise<FullVersion> {
    return this.#change(actor, async (transaction) => {
      const before = await lockedVersion(transaction, model, number);
      checkState(before, "other tags", ["UPLOADING", "VALIDATING", "READY", "REJECTED", "DEPRECATED"]);
      checkVersionEtag(before, etag);
      await transaction.query
        .deleteFrom("version_tags")
        .where("model", "=", model)
        .where("number", "=", number)
        .execute();
      await insertVersionTags(transaction, model, number, tags);
      return saveVersion(transaction, before, {
        ...before,
        version: { ...before.version, tags_json: JSON.stringify(tags) },
      });
    });
  }

  /** READY to DEPRECATED; one that is so already stays as it is. VERSION_STATE, ETAG_MISMATCH, what `lockedVersion` throws. */
  deprecate(actor: Actor, { model, number, reason, etag }: StateChange): Promise<FullVersion> {
    return this.#change(actor, async (transaction) => {
      const before = await lockedVersion(transaction, model, number);
      if (before.version.state === "DEPRECATED") return before;
      checkState(before, "deprecation", ["READY"]);
      checkVersionEtag(before, etag);
      const version = { ...before.version, state: "DEPRECATED", state_reason: reason } as const;
      return saveVersion(transaction, before, { ...before, version });
    });
  }

  /**
   * Any state but READY to DELETED; one that is so already stays as it is. VERSION_IN_USE where an alias leads to it or
   * somebody holds it; VERSION_STATE, ETAG_MISMATCH, what `lockedVersion` throws.
   */
  delete(actor: Actor, { model, number, reason, etag }: StateChange): Promise<FullVersion> {
    return this.#change(actor, async (transaction) => {
      const before = await lockedVersion(transaction, model, number);
      if (before.version.state === "DELETED") return before;
      checkState(before, "deletion", ["UPLOADING", "VALIDATING", "REJECTED", "DEPRECATED"]);
      checkVersionEtag(before, etag);
      await checkUnused(transaction, model, number);
      await beginGrace(transaction, model, number);
      await transaction.query
        .deleteFrom("artifact_uses")
        .where("model", "=", model)
        .where("number", "=", number)
        .execute();
      const { variants } = afterRefusal(before, () => true, "the version is deleted");
      const version = { ...before.version, state: "DELETED", state_reason: reason } as const;
      return saveVersion(transaction, before, { version, variants });
    });
  }

  #change(actor: Actor, work: (transaction: CatalogueTransaction) => Promise<FullVersion>): Promise<FullVersion> {
    return this.#database.change(actor, this.#clock.now(), work);
  }
}

/** Locks the model of a version that is to be changed, and reads it. What `lockedModel` throws; VERSION_NOT_FOUND. */
export async function lockedVersion(
  transaction: CatalogueTransaction,
  model: string,
  number: number,
): Promise<FullVersion> {
  await lockedModel(transaction, model);
  const full = await findVersion(transaction.query, model, number);
  return full ?? (await missingVersion(transaction.query, model, { number }));
}

/** Throws MODEL_NOT_FOUND, VERSION_NOT_FOUND or ALIAS_NOT_FOUND with the names of what exists. */
export async function missingVersion(query: Kysely<Schema>, model: string, choice: VersionChoice): Promise<never> {
  await checkModel(query, model);
  const versions = await query
    .selectFrom("versions")
    .select("number")
    .where("model", "=", model)
    .where("state", "!=", "DELETED")
    .orderBy("number", "desc")
    .limit(11)
    .execute();
  const aliases = await query.selectFrom("aliases").select("id").where("model", "=", model).limit(11).execute();
  const numbers = namesOf(versions.map((row) => row.number));
  const exist = `there are versions: ${numbers}; aliases: ${namesOf(aliases.map((row) => row.id))}`;
  const metadata = { model };
  if ("number" in choice) {
    const message = `there is no ${versionName(model, choice.number)}; ${exist}`;
    throw new ServiceError("VERSION_NOT_FOUND", message, { metadata });
  }
  throw new ServiceError("ALIAS_NOT_FOUND", `model ${model} has no alias ${choice.alias}; ${exist}`, { metadata });
}

/** Throws VERSION_STATE where a version is in no state for something. */
export function checkState({ version }: FullVersion, forWhat: string, needed: readonly VersionState[]): void {
  const { model, number, state } = version;
  if (needed.includes(state)) return;
  const name = versionName(model, number);
  const message = `${name} is ${state}; needed for ${forWhat}: ${needed.join(" or ")}`;
  throw new ServiceError("VERSION_STATE", message, { metadata: { version: name, state } });
}

export async function insertVersionTags(
  { query }: CatalogueTransaction,
  model: string,
  number: number,
  tags: Readonly<Record<string, string>>,
): Promise<void> {
  const rows = Object.entries(tags).map(([key, value]) => ({ model, number, key, value }));
  if (rows.length > 0) await query.insertInto("version_tags").values(rows).execute();
}

function checkVersionEtag({ version: { model, number, etag } }: FullVersion, seen: string): void {
  if (seen !== "" && seen !== etag) throw staleEtag(versionName(model, number), seen, etag);
}

async function checkUnused({ query, timeMs }: CatalogueTransaction, model: string, number: number): Promise<void> {
  const name = versionName(model, number);
  const aliases = await query
    .selectFrom("alias_versions")
    .select("alias")
    .where("model", "=", model)
    .where("version", "=", number)
    .orderBy("alias")
    .limit(11)
    .execute();
  const holds = await query
    .selectFrom("holds")
    .select("holder")
    .where("resource", "=", name)
    .where("expire_time", ">", timeMs)
    .orderBy("holder")
    .limit(11)
    .execute();
  const leading = await stillLeadingTo(query, model, number);
  if (aliases.length === 0 && holds.length === 0 && leading.length === 0) return;
  const ids = new Set([...aliases.map(({ alias }) => alias), ...leading]);
  const aliasNames = namesOf([...ids].map((alias) => aliasName(model, alias)));
  const holders = namesOf(holds.map(({ holder }) => holder));
  const message = `${name} is in use; aliases that lead to it: ${aliasNames}; it is held by: ${holders}; needed: none of either`;
  throw new ServiceError("VERSION_IN_USE", message, { metadata: { version: name } });
}

/** Nodes may still be loading the files of a version that goes: the collector's grace counts from here. */
async function beginGrace({ query, timeMs }: CatalogueTransaction, model: string, number: number): Promise<void> {
  await query
    .updateTable("artifacts")
    .set({ upload_time: timeMs })
    .where("sha256", "in", ({ selectFrom }) =>
      selectFrom("artifact_uses").select("sha256").where("model", "=", model).where("number", "=", number),
    )
    .execute();
}

/** The aliases that were moved away from a version and whose requests go there until the new targets are ready. */
async function stillLeadingTo(query: Kysely<Schema>, model: string, number: number): Promise<string[]> {
  const rows = await query
    .selectFrom("aliases")
    .innerJoin("alias_routes as route", (join) =>
      join.onRef("route.model", "=", "aliases.model").onRef("route.alias", "=", "aliases.id"),
    )
    .innerJoin("alias_revisions as reached", (join) =>
      join
        .onRef("reached.model", "=", "route.model")
        .onRef("reached.alias", "=", "route.alias")
        .onRef("reached.revision", "=", "route.revision"),
    )
    .select(["aliases.id", "reached.targets_json"])
    .where("aliases.model", "=", model)
    .whereRef("route.revision", "<", "aliases.revision")
    .execute();
  const leadsTo = ({ version }: { version: number }) => version === number;
  return rows.filter(({ targets_json }) => JSON.parse(targets_json).some(leadsTo)).map(({ id }) => id);
}

async function heaviestTarget(query: Kysely<Schema>, model: string, alias: string): Promise<number | undefined> {
  const row = await query
    .selectFrom("aliases")
    .select("targets_json")
    .where("model", "=", model)
    .where("id", "=", alias)
    .executeTakeFirst();
  const targets = JSON.parse(row?.targets_json ?? "[]") as { version: number; weight: number }[];
  // Sorting is stable: of equals the first one stays the first.
  return targets.sort((a, b) => b.weight - a.weight)[0]?.version;
}

/** Finds the tag of the version that the query around it is about. */
function taggedWith([key, value]: readonly [string, string]) {
  return expressionBuilder<Schema, "versions">()
    .selectFrom("version_tags")
    .select("version_tags.number")
    .whereRef("version_tags.model", "=", "versions.model")
    .whereRef("version_tags.number", "=", "versions.number")
    .where("key", "=", key)
    .$if(value !== "", (query) => query.where("value", "=", value));
}
