/** A column of predictions, as DuckDB has it. */
export interface OutputColumn {
  readonly name: string;
  readonly type: "BIGINT" | "BOOLEAN" | "DOUBLE" | "FLOAT" | "TIMESTAMP" | "UBIGINT" | "VARCHAR";
  /** One for each row; null where there is none. Times are microseconds since 1970. */
  readonly values: readonly (number | bigint | boolean | string | null)[];
}
