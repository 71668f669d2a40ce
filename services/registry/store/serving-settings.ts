import { randomUUID } from "node:crypto";
import type { Kysely } from "kysely";
import type { Clock } from "../../../lib/clock.ts";
import { ServiceError } from "../../../lib/errors.ts";
import type { ServingSettings } from "../../../lib/gen/amaas/registry/v1/ServingSettings.ts";
import { servingSettingsName, versionName } from "../../../lib/resource-names.ts";
import { servingSettingsMessage, unsetEtag } from "../messages/serving.ts";
import type { Database } from "./database.ts";
import { namesOf } from "./existing-names.ts";
import { checkModel, lockedModel, staleEtag } from "./models.ts";
import { bytesOf, type Page, readPage } from "./pages.ts";
import type { Schema, ServingSettingsRow } from "./schema.ts";
import type { Actor, CatalogueTransaction } from "./transaction.ts";

/** What the owner of a model may set, as the contract has it. */
export type SettingsValues = Omit<
  ServingSettings,
  "name" | "revision" | "etag" | "updateTime" | "principal" | "reason"
>;

/** A change of serving settings. */
export interface SettingsChange {
  readonly model: string;
  /** Empty, or the etag that they must have. */
  readonly etag: string;
  readonly reason: string;
}

/** How models are served, now and before. */
export class ServingSettingsStore {
  readonly #database: Database;
  readonly #clock: Clock;

  constructor(database: Database, clock: Clock) {
    this.#database = database;
    this.#clock = clock;
  }

  /** Undefined where nobody has set anything; MODEL_NOT_FOUND. */
  async get(model: string): Promise<ServingSettingsRow | undefined> {
    const row = await newest(this.#database.query, model);
    if (row === undefined) await checkModel(this.#database.query, model);
    return row;
  }

  /** A page of at most `count` revisions below the number `before`, newest first; MODEL_NOT_FOUND. */
  revisions(model: string, count: number, before: number | undefined): Promise<Page<ServingSettingsRow>> {
    return this.#database.snapshot(async (query) => {
      const found = revisionsOf(query, model).$if(before !== undefined, (rows) => rows.where("revision", "<", before!));
      const page = await readPage(
        count,
        (limit) =>
          found
            .select(bytesOf(["settings_json", "principal", "reason"], 300).as("bytes"))
            .limit(limit)
            .execute(),
        (limit) => found.selectAll().limit(limit).execute(),
      );
      if (page.rows.length === 0) await checkModel(query, model);
      return page;
    });
  }

  /**
   * Replaces the settings; the same ones again are no new revision. MODEL_NOT_FOUND, MODEL_DELETED, ETAG_MISMATCH, and
   * VERSION_NOT_FOUND where the version policy names one that is not there.
   */
  update(actor: Actor, change: SettingsChange, values: SettingsValues): Promise<ServingSettingsRow> {
    return this.#change(actor, change, async (transaction) => {
      await checkVersions(transaction, change.model, values.versionPolicy?.specific?.versions ?? []);
      return JSON.stringify(values);
    });
  }

  /**
   * Brings the settings of a revision back, or, where it is 0, those before the present ones. REVISION_NOT_FOUND names those
   * there are; otherwise like `update`.
   */
  rollback(actor: Actor, change: SettingsChange, revision: number): Promise<ServingSettingsRow> {
    return this.#change(actor, change, async ({ query }, present) => {
      const past = revisionsOf(query, change.model).selectAll().limit(11);
      const row = await (revision > 0
        ? past.where("revision", "=", revision)
        : past.where("revision", "<", present?.revision ?? 0)
      ).executeTakeFirst();
      return row?.settings_json ?? noRevision(change.model, revision, await past.execute());
    });
  }

  #change(
    actor: Actor,
    { model, etag, reason }: SettingsChange,
    next: (transaction: CatalogueTransaction, present: ServingSettingsRow | undefined) => Promise<string>,
  ): Promise<ServingSettingsRow> {
    return this.#database.change(actor, this.#clock.now(), async (transaction) => {
      await lockedModel(transaction, model);
      const present = await newest(transaction.query, model);
      const current = present?.etag ?? unsetEtag;
      if (etag !== "" && etag !== current) throw staleEtag(servingSettingsName(model), etag, current);
      const settings_json = await next(transaction, present);
      if (settings_json === present?.settings_json) return present;
      const row: ServingSettingsRow = {
        model,
        revision: (present?.revision ?? 0) + 1,
        settings_json,
        etag: randomUUID(),
        update_time: transaction.timeMs,
        principal: actor.principal,
        reason,
      };
      await transaction.query.insertInto("serving_settings").values(row).execute();
      transaction.record({
        kind: "SERVING_SETTINGS",
        resource: servingSettingsName(model),
        model,
        before: present && servingSettingsMessage(present),
        after: servingSettingsMessage(row),
      });
      return row;
    });
  }
}

/** Newest first. */
function revisionsOf(query: Kysely<Schema>, model: string) {
  return query.selectFrom("serving_settings").where("model", "=", model).orderBy("revision", "desc");
}

function newest(query: Kysely<Schema>, model: string): Promise<ServingSettingsRow | undefined> {
  return revisionsOf(query, model).selectAll().limit(1).executeTakeFirst();
}

async function checkVersions(
  { query }: CatalogueTransaction,
  model: string,
  numbers: readonly unknown[],
): Promise<void> {
  if (numbers.length === 0) return;
  const rows = await query
    .selectFrom("versions")
    .select("number")
    .where("model", "=", model)
    .where("number", "in", numbers.map(Number))
    .where("state", "!=", "DELETED")
    .execute();
  const known = new Set(rows.map(({ number }) => number));
  const missing = numbers.map(Number).filter((number) => !known.has(number));
  if (missing.length === 0) return;
  const message = `settings.version_policy.specific names versions that are not there: ${namesOf(missing)}`;
  throw new ServiceError("VERSION_NOT_FOUND", message, {
    metadata: { field: "settings.version_policy.specific.versions", version: versionName(model, missing[0]!) },
  });
}

function noRevision(model: string, revision: number, others: readonly ServingSettingsRow[]): never {
  const asked = revision > 0 ? `revision ${revision}` : "revision before the present one";
  const exist = namesOf(others.map((other) => other.revision));
  const message = `${servingSettingsName(model)} has no ${asked}; there are: ${exist}`;
  throw new ServiceError("REVISION_NOT_FOUND", message, { metadata: { model } });
}
