import type { DuckDBConnection } from "@duckdb/node-api";

/** What the values of a column are, whatever type the file has for them. */
export type ValueKind = "number" | "text" | "time" | "other";

/** A column of a relation. */
export interface RelationColumn {
  /** Its name in the file; no two are the same. */
  readonly name: string;
  /** Its name in SQL: "c0", "c1", … */
  readonly sql: string;
  /** Its type in DuckDB, such as DOUBLE or VARCHAR. */
  readonly type: string;
  /** Of BOOLEAN: "number", 0 and 1 when cast. Of lists, structures and bytes: "other". */
  readonly kind: ValueKind;
  /** Whether the file has its numbers as decimal digits, of which DOUBLE keeps no more than 15. */
  readonly isDecimal?: boolean;
}

/**
 * A file of columns, open in DuckDB. `rows` is a view of them all under their SQL names, and of `row`, the number of the row in the file
 * from 0; it can be read any number of times and comes in the order of `row` where a query has no order of its own. A missing value is
 * NULL. Numbers of CSV and NDJSON are finite and FP32 holds them; those of Parquet may be NaN or infinite.
 */
export interface Relation {
  readonly kind: "relation";
  /** May read and write nothing but what is open already, and cannot be told otherwise. */
  readonly connection: DuckDBConnection;
  readonly columns: readonly RelationColumn[];
  readonly rowCount: number;
  /** Where a row is in the file: "line 7", or "row 7", both from 1. May read the file up to there. */
  placeOf(row: number): Promise<string>;
  /** Ends all queries; the files in the job's folder stay. */
  close(): void;
}
