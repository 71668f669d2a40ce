import { type Kysely, sql } from "kysely";
import type { ServingSettings__Output } from "../../../lib/gen/amaas/registry/v1/ServingSettings.ts";
import type { Database } from "./database.ts";
import type { Schema, VersionState } from "./schema.ts";

/** What the control plane knows of one model that is not deleted. */
export interface ModelEntry {
  readonly id: string;
  /** Those that are not deleted, ascending by number. */
  readonly versions: readonly VersionEntry[];
  /** By id. */
  readonly aliases: ReadonlyMap<string, AliasEntry>;
  /** Undefined where nobody has set anything. */
  readonly settings: SettingsEntry | undefined;
}

export interface VersionEntry {
  readonly number: number;
  readonly state: VersionState;
  readonly stateReason: string;
  /** The operator sets that its files ask for, by domain. */
  readonly opsets: Readonly<Record<string, number>>;
  /** Those that are READY, the primary first. */
  readonly variants: readonly VariantEntry[];
}

export interface VariantEntry {
  readonly id: string;
  /** Names the content of all its files. */
  readonly digest: string;
  readonly precision: string;
  /** Where it may run; empty means everywhere. */
  readonly executionProviders: readonly string[];
  readonly modelFile: FileEntry;
  readonly externalFiles: readonly FileEntry[];
  /** Of all its files. */
  readonly sizeBytes: number;
  /** What validation has measured; 0 where it has not. */
  readonly memoryBytes: number;
}

export interface FileEntry {
  /** Its path as the ONNX file has it; empty for the ONNX file itself. */
  readonly location: string;
  readonly sha256: string;
  readonly sizeBytes: number;
}

export interface AliasEntry {
  /** Where it points. */
  readonly present: AliasAim;
  /** Where it led when last one of its targets was ready; undefined where none was since it was made. */
  readonly reached: AliasAim | undefined;
}

/** Where an alias points in one of its revisions. */
export interface AliasAim {
  readonly revision: number;
  readonly targets: readonly { readonly version: number; readonly weight: number }[];
  readonly mirrors: readonly { readonly version: number; readonly share: number }[];
}

/** The newest serving settings of a model. */
export interface SettingsEntry {
  readonly revision: number;
  /** As the contract has them. */
  readonly values: Partial<ServingSettings__Output>;
}

/** An alias that leads where it points, with a target that is ready. */
export interface ReachedAlias {
  readonly model: string;
  readonly alias: string;
  readonly revision: number;
}

/** Reads models as the control plane needs them, and keeps where their aliases have led. */
export class EntryStore {
  readonly #database: Database;

  constructor(database: Database) {
    this.#database = database;
  }

  /**
   * Those of these models, or of all, that are there and not deleted, by id. A change that commits meanwhile may be in one by
   * half; whoever hears of changes reads it again.
   */
  entries(ids?: readonly string[]): Promise<ReadonlyMap<string, ModelEntry>> {
    return this.#database.query.transaction().execute(async (transaction) => {
      const models = await transaction
        .selectFrom("models")
        .select("id")
        .where("delete_time", "is", null)
        .$if(ids !== undefined, (query) => query.where("id", "in", ids!))
        .orderBy("id")
        .execute();
      const versions = await versionsOf(transaction, ids);
      const aliases = await aliasesOf(transaction, ids);
      const settings = await settingsOf(transaction, ids);
      const entries = models.map(({ id }): [string, ModelEntry] => {
        const parts = { versions: versions.get(id) ?? [], aliases: aliases.get(id) ?? new Map() };
        return [id, { id, ...parts, settings: settings.get(id) }];
      });
      return new Map(entries);
    });
  }

  /** The number of the last change. */
  lastSequence(): Promise<number> {
    return this.#database.lastSequence();
  }

  /** Which models the changes behind a number have touched, and the number of the last one; not all of them at once. */
  async changedSince(sequence: number): Promise<{ readonly models: ReadonlySet<string>; readonly last: number }> {
    const rows = await this.#database.query
      .selectFrom("changes")
      .select(["sequence", "model", "kind"])
      .where("sequence", ">", sequence)
      .orderBy("sequence")
      .limit(changesMax)
      .execute();
    const models = rows.flatMap(({ model, kind }) => (model === null || !isPlannedBy(kind) ? [] : [model]));
    return { models: new Set(models), last: rows.at(-1)?.sequence ?? sequence };
  }

  /** Keeps how far aliases have led. */
  async keepReached(reached: readonly ReachedAlias[]): Promise<void> {
    await this.#database.query
      .insertInto("alias_routes")
      .values([...reached])
      .onConflict((conflict) =>
        conflict
          .columns(["model", "alias"])
          .doUpdateSet(({ ref }) => ({ revision: ref("excluded.revision") }))
          .whereRef("alias_routes.revision", "<", "excluded.revision"),
      )
      .execute();
  }
}

/** Whether plans depend on resources of this kind. */
export function isPlannedBy(kind: string): boolean {
  return kind === "MODEL" || kind === "VERSION" || kind === "ALIAS" || kind === "SERVING_SETTINGS";
}

/** How many changes are read at once. */
const changesMax = 1000;

async function versionsOf(query: Kysely<Schema>, ids: readonly string[] | undefined) {
  const rows = await query
    .selectFrom("versions")
    .select(["model", "number", "state", "state_reason as stateReason", "opsets_json"])
    .where("state", "!=", "DELETED")
    .$if(ids !== undefined, (some) => some.where("model", "in", ids!))
    .orderBy("model")
    .orderBy("number")
    .execute();
  const variants = await variantsOf(query, ids);
  return grouped(rows, ({ model, opsets_json, ...version }): VersionEntry => {
    const opsets = JSON.parse(opsets_json);
    return { ...version, opsets, variants: variants.get(`${model}/${version.number}`) ?? [] };
  });
}

/** By model and number, as in "digits/1". */
async function variantsOf(query: Kysely<Schema>, ids: readonly string[] | undefined) {
  const sizes = await fileSizesOf(query, ids);
  const rows = await query
    .selectFrom("variants")
    .select([
      "model",
      "number",
      "id",
      "digest",
      "precision",
      "execution_providers_json",
      "sha256",
      "external_files_json",
    ])
    .select(["size_bytes as sizeBytes", "memory_bytes as memoryBytes"])
    .where("state", "=", "READY")
    .$if(ids !== undefined, (some) => some.where("model", "in", ids!))
    .orderBy("model")
    .orderBy("number")
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

async function fileSizesOf(query: Kysely<Schema>, ids: readonly string[] | undefined) {
  const rows = await query
    .selectFrom("artifact_uses")
    .innerJoin("artifacts", "artifacts.sha256", "artifact_uses.sha256")
    .select(["artifacts.sha256", "artifacts.size_bytes"])
    .distinct()
    .where("role", "=", "file")
    .$if(ids !== undefined, (some) => some.where("model", "in", ids!))
    .execute();
  return new Map(rows.map(({ sha256, size_bytes }) => [sha256, size_bytes]));
}

async function aliasesOf(query: Kysely<Schema>, ids: readonly string[] | undefined) {
  const rows = await query
    .selectFrom("aliases")
    .select(["model", "id", "revision", "targets_json", "mirrors_json"])
    .$if(ids !== undefined, (some) => some.where("model", "in", ids!))
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
    .$if(ids !== undefined, (some) => some.where("route.model", "in", ids!))
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

async function settingsOf(query: Kysely<Schema>, ids: readonly string[] | undefined) {
  const rows = await query
    .selectFrom("serving_settings as settings")
    .select(["model", "revision", "settings_json"])
    .where("revision", "=", ({ selectFrom }) =>
      selectFrom("serving_settings as newest")
        .select(({ fn }) => fn.max("newest.revision").as("revision"))
        .whereRef("newest.model", "=", "settings.model"),
    )
    .$if(ids !== undefined, (some) => some.where("model", "in", ids!))
    .execute();
  return new Map(
    rows.map(({ model, revision, settings_json }): [string, SettingsEntry] => [
      model,
      { revision, values: JSON.parse(settings_json) },
    ]),
  );
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
