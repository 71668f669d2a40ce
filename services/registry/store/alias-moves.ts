import { randomUUID } from "node:crypto";
import type { Kysely } from "kysely";
import { aliasName } from "../../../lib/resource-names.ts";
import type { FleetCapabilities } from "../control/fleet-capabilities.ts";
import { aliasMessage } from "../messages/alias.ts";
import { type Aim, numbersOf, objectionTo, targetNumbers } from "./alias-gate.ts";
import type { AliasRevisionRow, AliasRow, ModelRow, Schema } from "./schema.ts";
import type { CatalogueTransaction } from "./transaction.ts";

/** An alias of a model that is locked. */
export interface MovedAlias {
  readonly model: ModelRow;
  readonly id: string;
  /** Undefined where it is made. */
  readonly present: AliasRow | undefined;
}

/** How an alias is moved. */
export interface MoveOptions {
  /** Why, for the history. */
  readonly reason: string;
  /** Also where something speaks against it that may be forced. */
  readonly force: boolean;
}

/**
 * Points an alias elsewhere, as a new revision. Where it points there already, nothing happens: a call that is repeated changes
 * nothing. Throws what speaks against it, and what `objectionTo` throws.
 */
export async function moveAlias(
  transaction: CatalogueTransaction,
  { model, id, present }: MovedAlias,
  aim: Aim,
  { reason, force }: MoveOptions,
  fleet: FleetCapabilities,
): Promise<AliasRow> {
  const [targets_json, mirrors_json] = [JSON.stringify(aim.targets), JSON.stringify(aim.mirrors)];
  if (present?.targets_json === targets_json && present.mirrors_json === mirrors_json) return present;
  const { query, timeMs, actor } = transaction;
  const before = present === undefined ? nowhere : aimOf(present);
  // An alias that is made again has the clients that it had before.
  const served = present === undefined ? await lastAim(query, model.id, id) : before;
  const objection = await objectionTo({ model, alias: id, before, served, after: aim }, query, fleet);
  if (objection !== undefined && !force) throw objection;

  const revision = await addRevision(transaction, model.id, id, {
    targets_json,
    mirrors_json,
    deleted: 0,
    forced: objection === undefined ? 0 : 1,
    reason,
  });
  const said = { principal: actor.principal, reason };
  const row = {
    model: model.id,
    id,
    targets_json,
    mirrors_json,
    revision,
    etag: randomUUID(),
    update_time: timeMs,
    ...said,
  };
  await query
    .insertInto("aliases")
    .values(row)
    .onConflict((conflict) => conflict.columns(["model", "id"]).doUpdateSet(row))
    .execute();
  await replaceVersions(query, model.id, id, aim);
  recordAlias(transaction, present, row);
  return row;
}

/** Removes an alias of a model that is locked, as a new revision. */
export async function removeAlias(transaction: CatalogueTransaction, present: AliasRow, reason: string): Promise<void> {
  const { model, id } = present;
  await replaceVersions(transaction.query, model, id, nowhere);
  await transaction.query.deleteFrom("aliases").where("model", "=", model).where("id", "=", id).execute();
  const removal = { targets_json: "[]", mirrors_json: "[]", deleted: 1, forced: 0, reason };
  await addRevision(transaction, model, id, removal);
  recordAlias(transaction, present, undefined);
}

/** Where an alias leads, or led in one of its revisions. */
export function aimOf(row: Pick<AliasRow, "targets_json" | "mirrors_json">): Aim {
  return { targets: JSON.parse(row.targets_json), mirrors: JSON.parse(row.mirrors_json) };
}

const nowhere: Aim = { targets: [], mirrors: [] };

/** Where an alias led last, also where it is deleted. */
export async function lastAim(query: Kysely<Schema>, model: string, alias: string): Promise<Aim> {
  const row = await query
    .selectFrom("alias_revisions")
    .select(["targets_json", "mirrors_json"])
    .where("model", "=", model)
    .where("alias", "=", alias)
    .where("deleted", "=", 0)
    .orderBy("revision", "desc")
    .executeTakeFirst();
  return row === undefined ? nowhere : aimOf(row);
}

type RevisionFields = Pick<AliasRevisionRow, "targets_json" | "mirrors_json" | "deleted" | "forced" | "reason">;

/** Answers its number, which goes on behind the revisions of an alias that was deleted. */
async function addRevision(
  { query, timeMs: time, actor: { principal } }: CatalogueTransaction,
  model: string,
  alias: string,
  fields: RevisionFields,
): Promise<number> {
  const { last } = await query
    .selectFrom("alias_revisions")
    .select(({ fn }) => fn.max<number | null>("revision").as("last"))
    .where("model", "=", model)
    .where("alias", "=", alias)
    .executeTakeFirstOrThrow();
  const revision = (last ?? 0) + 1;
  await query
    .insertInto("alias_revisions")
    .values({ model, alias, revision, time, principal, ...fields })
    .execute();
  return revision;
}

/** Keeps what searches by version in step. */
async function replaceVersions(query: Kysely<Schema>, model: string, alias: string, aim: Aim): Promise<void> {
  await query.deleteFrom("alias_versions").where("model", "=", model).where("alias", "=", alias).execute();
  const versions = numbersOf(aim).map((version) => ({ model, alias, version }));
  if (versions.length === 0) return;
  await query.insertInto("alias_versions").values(versions).execute();
  await query
    .insertInto("alias_past_targets")
    .values(targetNumbers(aim).map((version) => ({ model, alias, version })))
    .onConflict((conflict) => conflict.doNothing())
    .execute();
}

function recordAlias(
  transaction: CatalogueTransaction,
  before: AliasRow | undefined,
  after: AliasRow | undefined,
): void {
  const { model, id } = (after ?? before)!;
  transaction.record({
    kind: "ALIAS",
    resource: aliasName(model, id),
    model,
    before: before && aliasMessage(before),
    after: after && aliasMessage(after),
  });
}
