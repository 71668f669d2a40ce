import { randomUUID } from "node:crypto";
import { type Kysely, sql } from "kysely";
import { versionName } from "../../../lib/resource-names.ts";
import { versionMessage } from "../messages/version.ts";
import { bytesOf } from "./pages.ts";
import type { Schema, VariantRow, VersionRow } from "./schema.ts";
import type { CatalogueTransaction } from "./transaction.ts";

/** A version with its variants, the primary first. */
export interface FullVersion {
  readonly version: VersionRow;
  readonly variants: readonly VariantRow[];
}

/** Undefined where there is none. */
export async function findVersion(
  query: Kysely<Schema>,
  model: string,
  number: number,
): Promise<FullVersion | undefined> {
  const version = await query
    .selectFrom("versions")
    .selectAll()
    .where("model", "=", model)
    .where("number", "=", number)
    .executeTakeFirst();
  return version && { version, variants: await variantsOf(query, model, [number]) };
}

/** Those of a model that there are, newest first, each without its model card, metadata and lineage. */
export async function findVersions(
  query: Kysely<Schema>,
  model: string,
  numbers: readonly number[],
): Promise<FullVersion[]> {
  if (numbers.length === 0) return [];
  const versions = await query
    .selectFrom("versions")
    .select(briefColumns)
    .where("model", "=", model)
    .where("number", "in", numbers)
    .orderBy("number", "desc")
    .execute();
  return withVariants(query, model, versions);
}

/** Adds the variants to versions of a model; what was not read of these is empty. */
export async function withVariants(
  query: Kysely<Schema>,
  model: string,
  versions: readonly BriefVersion[],
): Promise<FullVersion[]> {
  if (versions.length === 0) return [];
  const variants = await variantsOf(
    query,
    model,
    versions.map(({ number }) => number),
  );
  const byNumber = new Map(versions.map(({ number }) => [number, [] as VariantRow[]]));
  for (const variant of variants) byNumber.get(variant.number)?.push(variant);
  return versions.map((version) => ({
    version: { ...unread, ...version },
    variants: byNumber.get(version.number)!,
  }));
}

const unread = { model_card: "", metadata_json: "{}", lineage_json: null } as const;

/** A version without its longest texts. */
type BriefVersion = Omit<VersionRow, keyof typeof unread>;

const briefColumns = [
  "model",
  "number",
  "state",
  "state_reason",
  "signature_json",
  "operators_json",
  "opsets_json",
  "parameter_count",
  "size_bytes",
  "metrics_json",
  "tags_json",
  "create_time",
  "update_time",
  "etag",
  "request_id",
  "request_digest",
] as const satisfies readonly (keyof BriefVersion)[];

/** What lists read of a version: everything but the model card. */
export const listedColumns = [...briefColumns, "metadata_json", "lineage_json"] as const;

/** What a version takes in lists, with its variants. */
export const listedBytes = sql<number>`${bytesOf(
  [
    "state_reason",
    "signature_json",
    "operators_json",
    "opsets_json",
    "metrics_json",
    "tags_json",
    "metadata_json",
    "lineage_json",
  ],
  500,
)} + (SELECT sum(${bytesOf(["execution_providers_json", "external_files_json", "quality_json", "state_reason"], 500)})
  FROM variants WHERE variants.model = versions.model AND variants.number = versions.number)`;

/** Writes a new version with its variants, and records it. */
export async function insertVersion(transaction: CatalogueTransaction, full: FullVersion): Promise<void> {
  await transaction.query.insertInto("versions").values(full.version).execute();
  await transaction.query
    .insertInto("variants")
    .values([...full.variants])
    .execute();
  recordVersion(transaction, undefined, full);
}

/**
 * Writes what has become of a version, gives it a new etag, and records it; nothing happens where nothing has changed. Rows that
 * stayed as they were are the same objects in both; new variants stand behind the old ones.
 */
export async function saveVersion(
  transaction: CatalogueTransaction,
  before: FullVersion,
  after: FullVersion,
): Promise<FullVersion> {
  const changed = after.variants.filter((variant, index) => variant !== before.variants[index]);
  if (after.version === before.version && changed.length === 0) return before;
  const { query, timeMs } = transaction;
  const version = { ...after.version, update_time: timeMs, etag: randomUUID() };
  const { model, number, model_card: _, metadata_json: __, lineage_json: ___, ...values } = version;
  await query.updateTable("versions").set(values).where("model", "=", model).where("number", "=", number).execute();
  for (const variant of changed) {
    const isNew = variant.position >= before.variants.length;
    if (isNew) await query.insertInto("variants").values(variant).execute();
    else await updateVariant(query, variant);
  }
  if (isOver(version) && !isOver(before.version)) {
    // Nothing of it is run any more.
    await query.deleteFrom("version_samples").where("model", "=", model).where("number", "=", number).execute();
  }
  const saved = { version, variants: after.variants };
  recordVersion(transaction, before, saved);
  return saved;
}

function isOver({ state }: VersionRow): boolean {
  return state === "REJECTED" || state === "DELETED";
}

async function updateVariant(query: Kysely<Schema>, variant: VariantRow): Promise<void> {
  const { model, number, id, ...values } = variant;
  await query
    .updateTable("variants")
    .set(values)
    .where("model", "=", model)
    .where("number", "=", number)
    .where("id", "=", id)
    .execute();
}

function variantsOf(query: Kysely<Schema>, model: string, numbers: readonly number[]): Promise<VariantRow[]> {
  return query
    .selectFrom("variants")
    .selectAll()
    .where("model", "=", model)
    .where("number", "in", numbers)
    .orderBy("number")
    .orderBy("position")
    .execute();
}

function recordVersion(transaction: CatalogueTransaction, before: FullVersion | undefined, after: FullVersion): void {
  const { model, number } = after.version;
  transaction.record({
    kind: "VERSION",
    resource: versionName(model, number),
    model,
    before: before && recorded(before),
    after: recorded(after),
  });
}

function recorded({ version, variants }: FullVersion): object {
  return versionMessage({ ...version, model_card: "" }, variants);
}
