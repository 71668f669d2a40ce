import type { Kysely } from "kysely";
import { versionName } from "../../../lib/resource-names.ts";
import type { Candidate, ComparedVersion } from "../compatibility/comparison.ts";
import type { Schema } from "./schema.ts";
import type { FullVersion } from "./version-rows.ts";

/** Some versions of a model, newest first. Those that are deleted, or have no signature, have no clients and are left out. */
export async function comparedVersions(
  query: Kysely<Schema>,
  model: string,
  numbers: readonly number[],
): Promise<ComparedVersion[]> {
  if (numbers.length === 0) return [];
  const rows = await query
    .selectFrom("versions")
    .select(["number", "signature_json"])
    .where("model", "=", model)
    .where("number", "in", numbers)
    .where("signature_json", "is not", null)
    .where("state", "!=", "DELETED")
    .orderBy("number", "desc")
    .execute();
  return rows.map((row) => comparedVersion(model, row));
}

/** Like `comparedVersions`, what an alias has ever targeted; of those with equal signatures the newest stands for all. */
export async function everTargeted(query: Kysely<Schema>, model: string, alias: string): Promise<ComparedVersion[]> {
  const rows = await query
    .selectFrom("alias_past_targets as past")
    .innerJoin("versions", (join) =>
      join.onRef("versions.model", "=", "past.model").onRef("versions.number", "=", "past.version"),
    )
    .select(({ fn }) => [fn.max<number>("versions.number").as("number"), "signature_json"])
    .where("past.model", "=", model)
    .where("past.alias", "=", alias)
    .where("signature_json", "is not", null)
    .where("state", "!=", "DELETED")
    .groupBy("signature_json")
    .orderBy("number", "desc")
    .execute();
  return rows.map((row) => comparedVersion(model, row));
}

/** A version that may take the place of others; undefined where its signature is not known. */
export function candidateOf({ version, variants }: FullVersion): Candidate | undefined {
  if (version.signature_json === null) return undefined;
  const ready = variants.filter(({ state }) => state === "READY");
  const needs = {
    opsets: JSON.parse(version.opsets_json),
    executionProviders: ready.map(({ execution_providers_json }) => JSON.parse(execution_providers_json)),
  };
  return { ...comparedVersion(version.model, version), needs };
}

function comparedVersion(
  model: string,
  { number, signature_json }: { readonly number: number; readonly signature_json: string | null },
): ComparedVersion {
  return { name: versionName(model, number), signatureJson: signature_json! };
}
