import { join } from "node:path";
import type { DuckDBConnection } from "@duckdb/node-api";
import { sqlText } from "./duckdb.ts";
import type { RelationColumn } from "./relation.ts";

/** A Parquet file as a query reads it, with the numbers of its rows. A folder called "a=b" on the way to the file is no column. */
export function parquetSource(path: string): string {
  return `read_parquet(${sqlText(path)}, file_row_number = true, hive_partitioning = false)`;
}

/** Makes the view `rows` of a Parquet file, whose columns are these in their order. */
export async function createRowView(
  connection: DuckDBConnection,
  path: string,
  columns: readonly RelationColumn[],
): Promise<void> {
  const names = [...columns.map(({ sql }) => sql), "row"].join(", ");
  await connection.run(
    `CREATE OR REPLACE VIEW rows AS SELECT row, * EXCLUDE row FROM ${parquetSource(path)} AS file(${names})`,
  );
}

/**
 * Converts what a query gives, once, into a Parquet file in the folder, and makes the view `rows` of it; answers its path. A table of
 * DuckDB's own would take 256 KiB of memory for each column.
 */
export async function convertRows(
  connection: DuckDBConnection,
  query: string,
  columns: readonly RelationColumn[],
  folder: string,
): Promise<string> {
  const path = join(folder, "rows.parquet");
  const rowsPerGroup = Math.max(2048, Math.min(122_880, Math.floor(valuesPerGroup / columns.length)));
  const settings = `FORMAT parquet, COMPRESSION lz4, ROW_GROUP_SIZE ${rowsPerGroup}`;
  await connection.run(`COPY (${query}) TO ${sqlText(path)} (${settings})`);
  await createRowView(connection, path, columns);
  return path;
}

const valuesPerGroup = 2 ** 21;
