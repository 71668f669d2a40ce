import type { Kysely } from "kysely";
import type { Database } from "./database.ts";
import type { EntryUpdate, ModelEntry, ReachedAlias } from "./entries.ts";
import { aliasesOf, type Models, settingsOf, versionsOf } from "./entry-rows.ts";
import { Lists } from "./lists.ts";
import type { Schema } from "./schema.ts";

/** Reads models as the control plane needs them, each as of one moment, and keeps where their aliases have led. */
export class EntryStore {
  readonly #database: Database;
  readonly #lists: Lists;

  constructor(database: Database) {
    this.#database = database;
    this.#lists = new Lists(database);
  }

  /** Those of these models, or of all, that are there and not deleted, by id. */
  entries(ids?: readonly string[]): Promise<ReadonlyMap<string, ModelEntry>> {
    return this.#database.snapshot(async (query) => {
      const models = ids && this.#lists.texts(ids);
      const parts = await this.#parts(query, models);
      const versions = await versionsOf(query, { models });
      return new Map(parts.map((part) => [part.id, { ...part, versions: versions.get(part.id) ?? [] }]));
    });
  }

  /**
   * Those of these models that are there and not deleted, by id, with only these versions of each and those that its aliases
   * lead to: it costs the same however many others there are.
   */
  updates(stale: ReadonlyMap<string, ReadonlySet<number>>): Promise<ReadonlyMap<string, EntryUpdate>> {
    return this.#database.snapshot(async (query) => {
      const parts = await this.#parts(query, this.#lists.texts([...stale.keys()]));
      const asked = new Map(parts.map((part) => [part.id, new Set([...stale.get(part.id)!, ...ledTo(part)])]));
      const keys = [...asked].flatMap(([model, numbers]) => [...numbers].map((number) => ({ model, number })));
      const versions = await versionsOf(query, { keys: this.#lists.versions(keys) });
      return new Map(
        parts.map((part) => {
          const found = new Map(versions.get(part.id)?.map((version) => [version.number, version]));
          return [
            part.id,
            { ...part, versions: new Map([...asked.get(part.id)!].map((one) => [one, found.get(one)])) },
          ];
        }),
      );
    });
  }

  /** Everything but the versions. */
  async #parts(query: Kysely<Schema>, models: Models): Promise<readonly Omit<ModelEntry, "versions">[]> {
    const rows = await query
      .selectFrom("models")
      .select("id")
      .where("delete_time", "is", null)
      .$if(models !== undefined, (some) => some.where("id", "in", models!))
      .orderBy("id")
      .execute();
    const aliases = await aliasesOf(query, models);
    const settings = await settingsOf(query, models);
    return rows.map(({ id }) => ({ id, aliases: aliases.get(id) ?? new Map(), settings: settings.get(id) }));
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

function* ledTo({ aliases }: Pick<ModelEntry, "aliases">): Iterable<number> {
  for (const { present, reached } of aliases.values()) {
    for (const aim of reached === undefined ? [present] : [present, reached]) {
      for (const { version } of [...aim.targets, ...aim.mirrors]) yield version;
    }
  }
}
