import type { Kysely, Transaction } from "kysely";
import type { Schema } from "./schema.ts";

/** What the control plane knows of one model. */
export interface ModelEntry {
  readonly id: string;
  /** Ascending by number. */
  readonly versions: readonly VersionEntry[];
  /** Version numbers by alias id. */
  readonly aliases: ReadonlyMap<string, number>;
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

  /** Every model. */
  all(): Promise<readonly ModelEntry[]> {
    return this.#query.transaction().execute((transaction) => entriesOf(transaction));
  }

  /** Undefined where there is no such model. */
  async entry(id: string): Promise<ModelEntry | undefined> {
    const [entry] = await this.#query.transaction().execute((transaction) => entriesOf(transaction, id));
    return entry;
  }
}

/** One model or every one, as of one moment. */
async function entriesOf(transaction: Transaction<Schema>, id?: string): Promise<readonly ModelEntry[]> {
  const models = await transaction
    .selectFrom("models")
    .select("id")
    .$if(id !== undefined, (query) => query.where("id", "=", id!))
    .orderBy("id")
    .execute();
  const entries = new Map(models.map((model) => [model.id, { versions: [] as VersionEntry[], aliases: new Map() }]));
  const versions = await transaction
    .selectFrom("versions")
    .select(["model", "number", "sha256", "size_bytes as sizeBytes"])
    .$if(id !== undefined, (query) => query.where("model", "=", id!))
    .orderBy("model")
    .orderBy("number")
    .execute();
  for (const { model, ...version } of versions) entries.get(model)?.versions.push(version);
  const aliases = await transaction
    .selectFrom("aliases")
    .select(["model", "id", "version"])
    .$if(id !== undefined, (query) => query.where("model", "=", id!))
    .execute();
  for (const alias of aliases) entries.get(alias.model)?.aliases.set(alias.id, alias.version);
  return [...entries].map(([model, entry]) => ({ id: model, ...entry }));
}
