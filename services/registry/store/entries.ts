import type { Kysely } from "kysely";
import type { Schema } from "./schema.ts";

/** What the control plane knows of one model. */
export interface ModelEntry {
  readonly id: string;
  /** Ascending by number. */
  readonly versions: readonly VersionEntry[];
  /** Version numbers by alias id. */
  readonly aliases: Readonly<Record<string, number>>;
}

export interface VersionEntry {
  readonly number: number;
  readonly sha256: string;
  readonly sizeBytes: number;
}

/** Reads models as the control plane needs them. */
export class EntryStore {
  readonly #query: Kysely<Schema>;

  constructor(query: Kysely<Schema>) {
    this.#query = query;
  }

  async modelIds(): Promise<readonly string[]> {
    const rows = await this.#query.selectFrom("models").select("id").orderBy("id").execute();
    return rows.map(({ id }) => id);
  }

  /** Undefined where there is no such model. */
  async entry(id: string): Promise<ModelEntry | undefined> {
    const model = await this.#query.selectFrom("models").select("id").where("id", "=", id).executeTakeFirst();
    if (model === undefined) return undefined;
    const versions = await this.#query
      .selectFrom("versions")
      .select(["number", "sha256", "size_bytes as sizeBytes"])
      .where("model", "=", id)
      .orderBy("number")
      .execute();
    const aliases = await this.#query.selectFrom("aliases").select(["id", "version"]).where("model", "=", id).execute();
    return { id, versions, aliases: Object.fromEntries(aliases.map((alias) => [alias.id, alias.version])) };
  }
}
