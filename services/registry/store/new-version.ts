import { createHash, randomUUID } from "node:crypto";
import type { Kysely } from "kysely";
import type { Lineage } from "../../../lib/gen/amaas/registry/v1/Lineage.ts";
import { artifactName, jobName, versionName } from "../../../lib/resource-names.ts";
import type { ArtifactUseRow, LineageRow, Schema, VersionRow } from "./schema.ts";
import type { CatalogueTransaction } from "./transaction.ts";
import { type NewVariant, variantDigest } from "./variants.ts";
import { insertVersionTags } from "./versions.ts";

/** What its owner says of a version. */
export interface NewVersion {
  readonly model: string;
  /** At least one; the first is the primary. */
  readonly variants: readonly NewVariant[];
  readonly metrics: Readonly<Record<string, number>>;
  readonly tags: Readonly<Record<string, string>>;
  readonly metadata: Readonly<Record<string, string>>;
  readonly modelCard: string;
  readonly lineage: NewLineage | null;
  /** What its variants are run on; null for zeros. */
  readonly sampleJson: string | null;
}

/** Where a version comes from, in ids. */
export interface NewLineage {
  /** As the contract has it. */
  readonly message: Lineage;
  readonly parent: { readonly model: string; readonly version: number } | undefined;
  readonly job: string | undefined;
  /** SHA-256. */
  readonly datasets: readonly string[];
}

/** Names the files of a request. */
export function requestDigestOf(variants: readonly NewVariant[]): string {
  return createHash("sha256").update(variants.map(variantDigest).join("\n")).digest("hex");
}

/** A version whose files nobody has looked for yet. */
export function newVersionRow(
  version: NewVersion,
  number: number,
  timeMs: number,
  requestId: string,
  requestDigest: string,
): VersionRow {
  return {
    model: version.model,
    number,
    state: "UPLOADING",
    state_reason: "",
    signature_json: null,
    operators_json: "{}",
    opsets_json: "{}",
    parameter_count: 0,
    size_bytes: 0,
    metrics_json: JSON.stringify(version.metrics),
    tags_json: JSON.stringify(version.tags),
    metadata_json: JSON.stringify(version.metadata),
    model_card: version.modelCard,
    lineage_json: version.lineage && JSON.stringify(version.lineage.message),
    create_time: timeMs,
    update_time: timeMs,
    etag: randomUUID(),
    request_id: requestId === "" ? null : requestId,
    request_digest: requestDigest,
  };
}

/** Writes what stands in tables of its own. */
export async function insertBeside(
  transaction: CatalogueTransaction,
  { model, tags, lineage, sampleJson }: NewVersion,
  number: number,
  files: readonly string[],
): Promise<void> {
  const { query } = transaction;
  await insertVersionTags(transaction, model, number, tags);
  if (sampleJson !== null) {
    await query.insertInto("version_samples").values({ model, number, sample_json: sampleJson }).execute();
  }
  await insertUses(query, [
    ...usesOf(model, number, "file", files),
    ...usesOf(model, number, "dataset", lineage?.datasets ?? []),
  ]);
  const edges = lineage === null ? [] : edgesOf(versionName(model, number), lineage);
  if (edges.length > 0) await query.insertInto("lineage").values(edges).execute();
}

/** What keeps the files of a version. */
export function usesOf(
  model: string,
  number: number,
  role: ArtifactUseRow["role"],
  sha256s: readonly string[],
): ArtifactUseRow[] {
  return [...new Set(sha256s)].map((sha256) => ({ sha256, model, number, role }));
}

/** A statement takes a bounded number of parameters. A variant may share files with those that were there before. */
export async function insertUses(query: Kysely<Schema>, uses: readonly ArtifactUseRow[]): Promise<void> {
  for (let begin = 0; begin < uses.length; begin += usesPerInsert) {
    await query
      .insertInto("artifact_uses")
      .values(uses.slice(begin, begin + usesPerInsert))
      .onConflict((conflict) => conflict.doNothing())
      .execute();
  }
}

const usesPerInsert = 250;

function edgesOf(child: string, { parent, job, datasets }: NewLineage): LineageRow[] {
  return [
    ...(parent ? [{ parent: versionName(parent.model, parent.version), child, relation: "DERIVED" as const }] : []),
    ...(job === undefined ? [] : [{ parent: jobName(job), child, relation: "MADE_BY" as const }]),
    ...[...new Set(datasets)].map((sha256) => ({
      parent: artifactName(sha256),
      child,
      relation: "TRAINED_ON" as const,
    })),
  ];
}
