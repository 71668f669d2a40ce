/** A column of predictions. */
export interface OutputColumn {
  readonly name: string;
  /** What its values are here, as DuckDB names it. */
  readonly type: "BIGINT" | "BOOLEAN" | "DOUBLE" | "FLOAT" | "UBIGINT" | "VARCHAR";
  /** What they become in the file, where that is another type: of a column of texts that say them exactly. */
  readonly castTo?: string | undefined;
  /** One for each row; null where there is none. */
  readonly values: readonly (number | bigint | boolean | string | null)[];
}
