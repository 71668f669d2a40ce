import { type RawBuilder, sql } from "kysely";
import type { Database } from "./database.ts";

/** A version by its model's id and its number. */
export interface VersionKey {
  readonly model: string;
  readonly number: number;
}

/** Lists as one parameter each: a statement has the same text, and is prepared once, however long they are. */
export class Lists {
  readonly #isShared: boolean;

  constructor({ isShared }: Pick<Database, "isShared">) {
    this.#isShared = isShared;
  }

  /** What a text may be `in`. */
  texts(values: readonly string[]): RawBuilder<string> {
    if (this.#isShared) return sql`(SELECT unnest(${values}::text[]))`;
    return sql`(SELECT value FROM json_each(${JSON.stringify(values)}))`;
  }

  /** A table of these, to be joined: an index is searched for each, which it is not for pairs that have to be `in` a list. */
  versions(keys: readonly VersionKey[]): RawBuilder<VersionKey> {
    if (!this.#isShared) {
      const json = JSON.stringify(keys);
      return sql`(SELECT value ->> 'model' AS model, value ->> 'number' AS number FROM json_each(${json}))`;
    }
    const [models, numbers] = [keys.map(({ model }) => model), keys.map(({ number }) => number)];
    // PostgreSQL knows how long arrays are, and plans accordingly.
    return sql`(SELECT model, number FROM unnest(${models}::text[], ${numbers}::bigint[]) AS keys (model, number))`;
  }
}
