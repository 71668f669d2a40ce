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
    const json = JSON.stringify(values);
    if (!this.#isShared) return sql`(SELECT value FROM json_each(${json}))`;
    return sql`(SELECT json_array_elements_text(${json}::json))`;
  }

  /** A table of these, to be joined: an index is searched for each, which it is not for pairs that have to be `in` a list. */
  versions(keys: readonly VersionKey[]): RawBuilder<VersionKey> {
    const json = JSON.stringify(keys);
    if (this.#isShared)
      return sql`(SELECT model, number FROM json_to_recordset(${json}::json) AS keys (model text, number bigint))`;
    return sql`(SELECT value ->> 'model' AS model, value ->> 'number' AS number FROM json_each(${json}))`;
  }
}
