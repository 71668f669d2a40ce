import { type Kysely, type RawBuilder, sql } from "kysely";
import type { AliasAim, AliasEntry, FileEntry, SettingsEntry, VariantEntry, VersionEntry } from "./entries.ts";
import type { VersionKey } from "./lists.ts";
import type { Schema } from "./schema.ts";

/** Models by their ids; undefined stands for all. */
export type Models = RawBuilder<string> | undefined;

/** All versions of models, or these. */
export type Versions =
  | { readonly models: Models; readonly keys?: undefined }
  | { readonly models?: undefined; readonly keys: RawBuilder<VersionKey> };

/** Those that are not deleted, ascending by number, by model. */
export async function versionsOf(query: Kysely<Schema>, which: Versions) {
  const { models, keys } = which;
  const rows = await query
    .selectFrom("versions")
    .select(["versions.model", "versions.number", "state", "state_reason as stateReason", "opsets_json"])
    .where("state", "!=", "DELETED")
    .$if(models !== undefined, (some) => some.where("versions.model", "in", models!))
    .$if(keys !== undefined, (some) =>
      some.innerJoin(keys!.as("key"), (join) =>
        join.onRef("key.model", "=", "versions.model").onRef("key.number", "=", "versions.number"),
      ),
    )
    .orderBy("versions.model")
    .orderBy("versions.number")
    .execute();
  const variants = await variantsOf(query, which);
  return grouped(rows, ({ model, opsets_json, ...version }): VersionEntry => {
    const opsets = JSON.parse(opsets_json);
    return { ...version, opsets, variants: variants.get(`${model}/${version.number}`) ?? [] };
  });
}

/** By model and number, as in "digits/1". */
async function variantsOf(query: Kysely<Schema>, which: Versions) {
  const { models, keys } = which;
  const sizes = await fileSizesOf(query, which);
  const rows = await query
    .selectFrom("variants")
    .select([
      "variants.model",
      "variants.number",
      "id",
      "digest",
      "precision",
      "execution_providers_json",
      "sha256",
      "external_files_json",
    ])
    .select(["size_bytes as sizeBytes", "memory_bytes as memoryBytes"])
    .where("state", "=", "READY")
    .$if(models !== undefined, (some) => some.where("variants.model", "in", models!))
    .$if(keys !== undefined, (some) =>
      some.innerJoin(keys!.as("key"), (join) =>
        join.onRef("key.model", "=", "variants.model").onRef("key.number", "=", "variants.number"),
      ),
    )
    .orderBy("variants.model")
    .orderBy("variants.number")
    .orderBy("position")
    .execute();
  const fileOf = ({ location, sha256 }: Omit<FileEntry, "sizeBytes">): FileEntry => {
    return { location, sha256, sizeBytes: sizes.get(sha256) ?? 0 };
  };
  const variants = new Map<string, VariantEntry[]>();
  for (const { model, number, execution_providers_json, external_files_json, sha256, ...row } of rows) {
    append(variants, `${model}/${number}`, {
      ...row,
      executionProviders: JSON.parse(execution_providers_json),
      modelFile: fileOf({ location: "", sha256 }),
      externalFiles: JSON.parse(external_files_json).map(fileOf),
    });
  }
  return variants;
}

async function fileSizesOf(query: Kysely<Schema>, { models, keys }: Versions) {
  const rows = await query
    .selectFrom("artifact_uses")
    .innerJoin("artifacts", "artifacts.sha256", "artifact_uses.sha256")
    .select(["artifacts.sha256", "artifacts.size_bytes"])
    .distinct()
    .where("role", "=", "file")
    .$if(models !== undefined, (some) => some.where("artifact_uses.model", "in", models!))
    .$if(keys !== undefined, (some) =>
      some.innerJoin(keys!.as("key"), (join) =>
        join.onRef("key.model", "=", "artifact_uses.model").onRef("key.number", "=", "artifact_uses.number"),
      ),
    )
    .execute();
  return new Map(rows.map(({ sha256, size_bytes }) => [sha256, size_bytes]));
}

/** By model and id. */
export async function aliasesOf(
  query: Kysely<Schema>,
  models: Models,
): Promise<ReadonlyMap<string, ReadonlyMap<string, AliasEntry>>> {
  const rows = await query
    .selectFrom("aliases")
    .select(["model", "id", "revision", "targets_json", "mirrors_json"])
    .$if(models !== undefined, (some) => some.where("model", "in", models!))
    .orderBy("model")
    .orderBy("id")
    .execute();
  // What was reached before an alias was deleted and made again is over.
  const reached = await query
    .selectFrom("alias_routes as route")
    .innerJoin("alias_revisions as revision", (join) =>
      join
        .onRef("revision.model", "=", "route.model")
        .onRef("revision.alias", "=", "route.alias")
        .onRef("revision.revision", "=", "route.revision"),
    )
    .select(["route.model", "route.alias", "route.revision", "targets_json", "mirrors_json"])
    .where(({ not, exists, selectFrom }) =>
      not(
        exists(
          selectFrom("alias_revisions as later")
            .select(sql`1`.as("one"))
            .whereRef("later.model", "=", "route.model")
            .whereRef("later.alias", "=", "route.alias")
            .whereRef("later.revision", ">", "route.revision")
            .where("later.deleted", "=", 1),
        ),
      ),
    )
    .$if(models !== undefined, (some) => some.where("route.model", "in", models!))
    .execute();
  const aims = new Map(reached.map((row) => [`${row.model}/${row.alias}`, aimOf(row)]));
  const aliases = grouped(rows, (row): [string, AliasEntry] => {
    return [row.id, { present: aimOf(row), reached: aims.get(`${row.model}/${row.id}`) }];
  });
  return new Map([...aliases].map(([model, pairs]) => [model, new Map(pairs)]));
}

interface AimRow {
  readonly revision: number;
  readonly targets_json: string;
  readonly mirrors_json: string;
}

function aimOf({ revision, targets_json, mirrors_json }: AimRow): AliasAim {
  return { revision, targets: JSON.parse(targets_json), mirrors: JSON.parse(mirrors_json) };
}

/** By model. */
export async function settingsOf(query: Kysely<Schema>, models: Models) {
  const rows = await query
    .selectFrom("serving_settings as settings")
    .select(["model", "settings_json"])
    .where("revision", "=", ({ selectFrom }) =>
      selectFrom("serving_settings as newest")
        .select(({ fn }) => fn.max("newest.revision").as("revision"))
        .whereRef("newest.model", "=", "settings.model"),
    )
    .$if(models !== undefined, (some) => some.where("model", "in", models!))
    .execute();
  return new Map(
    rows.map(({ model, settings_json }): [string, SettingsEntry] => {
      const { traffic, ...values } = JSON.parse(settings_json);
      return [model, { values: whatIsSet(values), traffic: traffic ?? undefined }];
    }),
  );
}

/** Without the fields that say what holds anyway, so that settings of the traffic alone are none for nodes. */
function whatIsSet(values: Readonly<Record<string, unknown>>): SettingsEntry["values"] {
  const isSet = (value: unknown) => {
    if (Array.isArray(value)) return value.length > 0;
    return typeof value === "string" ? !value.endsWith("_UNSPECIFIED") : Boolean(value);
  };
  return Object.fromEntries(Object.entries(values).filter(([, value]) => isSet(value)));
}

/** What rows become, in their order, by model. */
function grouped<Row extends { readonly model: string }, Value>(rows: readonly Row[], made: (row: Row) => Value) {
  const groups = new Map<string, Value[]>();
  for (const row of rows) append(groups, row.model, made(row));
  return groups;
}

function append<Value>(lists: Map<string, Value[]>, key: string, value: Value): void {
  const list = lists.get(key);
  if (list === undefined) lists.set(key, [value]);
  else list.push(value);
}
