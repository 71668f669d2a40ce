import { recordBytesMax } from "./csv-tokenizer.ts";
import { datasetError } from "./dataset-error.ts";
import { numberOf, openDatabase, readFault, sqlText } from "./duckdb.ts";
import type { DatasetFile } from "./file-format.ts";
import { type FieldType, ndjsonStructure } from "./ndjson-structure.ts";
import type { Relation, RelationColumn, ValueKind } from "./relation.ts";
import { convertRows } from "./row-view.ts";
import { textLines } from "./text-lines.ts";

/**
 * A file with a JSON object on each line. Its fields are found out first, line by line, because DuckDB guesses them from the first lines;
 * then DuckDB converts the values, once, into a Parquet file in the job's folder.
 */
export async function openNdjson(file: DatasetFile): Promise<Relation> {
  const { path } = file;
  const { rowCount, fields } = await ndjsonStructure(path, file.kinds);
  if (fields.size === 0) throw datasetError("the objects have no fields; needed: at least 1");
  const columns = [...fields].map(([name, type], index): RelationColumn => {
    return { name, sql: `c${index}`, type, kind: kindOf[type], isDecimal: type === "DOUBLE" };
  });
  const database = await openDatabase(file);
  const { connection, close } = database;
  try {
    const converted = await convertRows(connection, values(path, columns), columns, file.folder);
    const read = await numberOf(connection, "SELECT count(*) FROM rows");
    if (read !== rowCount) throw datasetError(`the file is not NDJSON: ${read} of its ${rowCount} rows can be read`);
    await database.seal(converted);
  } catch (failure) {
    close();
    throw readFault(failure);
  }
  return { kind: "relation", connection, columns, rowCount, placeOf: (row) => lineOf(path, row), close };
}

const kindOf = {
  DOUBLE: "number",
  BOOLEAN: "number",
  VARCHAR: "text",
  TIMESTAMP: "time",
  JSON: "other",
} as const satisfies Record<FieldType, ValueKind>;

function values(path: string, columns: readonly RelationColumn[]): string {
  const settings = [
    "format = 'newline_delimited'",
    "auto_detect = false",
    `columns = {${columns.map(({ name, type }) => `${sqlName(name)}: '${type === "TIMESTAMP" ? "VARCHAR" : type}'`).join(", ")}}`,
    "ignore_errors = false",
    "compression = 'uncompressed'",
    "hive_partitioning = false",
    `maximum_object_size = ${recordBytesMax}`,
  ];
  const selected = columns.map(({ name, sql, type }) => `CAST(${sqlName(name)} AS ${type}) AS ${sql}`);
  return `SELECT ${selected.join(", ")} FROM read_json(${sqlText(path)}, ${settings.join(", ")})`;
}

function sqlName(name: string): string {
  return `"${name.replaceAll('"', '""')}"`;
}

async function lineOf(path: string, row: number): Promise<string> {
  let index = 0;
  for await (const { line } of textLines(path, recordBytesMax)) if (index++ === row) return `line ${line}`;
  throw new Error(`broken invariant: there is no row ${row}`);
}
