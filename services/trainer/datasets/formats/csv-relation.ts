import type { DuckDBConnection } from "@duckdb/node-api";
import type { ServiceError } from "../../../../lib/errors.ts";
import { csvLineOf, csvStructure, recordBytesMax } from "./csv-scanner.ts";
import { badValue, datasetError } from "./dataset-error.ts";
import { type DatasetDatabase, numberOf, openDatabase, readFault, sqlText } from "./duckdb.ts";
import type { CsvFormat, DatasetFile } from "./file-format.ts";
import type { Relation, RelationColumn } from "./relation.ts";

/**
 * A file of comma-separated values. Its structure is checked first, byte by byte, because DuckDB leaves out a record with an unclosed quote
 * without a word; then DuckDB converts the values, once, into a table in the job's folder.
 */
export async function openCsv(file: DatasetFile, format: CsvFormat): Promise<Relation> {
  const { names, firstValues, columnCount, rowCount } = await csvStructure(file.path, format);
  const columns = Array.from({ length: columnCount }, (_, index): RelationColumn => {
    const name = names?.[index] ?? `column${index}`;
    const kind = file.kinds?.get(name) ?? (isNumber(firstValues[index]) ? "number" : "text");
    return { name, sql: `c${index}`, kind, type: kind === "number" ? "DOUBLE" : "VARCHAR" };
  });
  if (names !== undefined) checkNames(names);
  const database = await openDatabase(file);
  try {
    await load(database, file, format, columns);
    const read = await numberOf(database.connection, "SELECT count(*) FROM rows");
    if (read !== rowCount) throw datasetError(`the file is not CSV: ${read} of ${rowCount} rows can be read`);
    await database.seal();
  } catch (failure) {
    database.close();
    throw failure;
  }
  return {
    kind: "relation",
    connection: database.connection,
    columns,
    rowCount,
    placeOf: async (row) => `line ${await csvLineOf(file.path, format, row)}`,
    close: database.close,
  };
}

function isNumber(text: string | undefined): boolean {
  return text === undefined || decimal.test(text);
}

function isFiniteFp32(text: string): boolean {
  return decimal.test(text) && Number.isFinite(Math.fround(Number(text)));
}

/** A decimal number; Number() alone would also take hexadecimal ones. */
const decimal = /^[-+]?(\d+\.?\d*|\.\d+)(e[-+]?\d+)?$/i;

function checkNames(names: readonly string[]): void {
  names.forEach((name, index) => {
    if (name === "")
      throw datasetError(`column ${index + 1} has no name in the header; needed: a name for each column`);
    const first = names.indexOf(name);
    if (first === index) return;
    const seen = `columns ${first + 1} and ${index + 1} are both named ${JSON.stringify(name)}`;
    throw datasetError(`${seen}; needed: names that differ`);
  });
}

async function load(
  { connection }: DatasetDatabase,
  file: DatasetFile,
  format: CsvFormat,
  columns: readonly RelationColumn[],
) {
  const texts = textsOf(file, format, columns);
  const values = columns.map(({ sql, kind }) => `${kind === "number" ? numeric(sql) : sql} AS ${sql}`);
  try {
    await connection.run(`CREATE TABLE loaded AS SELECT ${values.join(", ")} FROM (${texts})`);
  } catch (failure) {
    throw (await badNumber(connection, file.path, format, columns, texts)) ?? readFault(failure);
  }
  await connection.run("CREATE VIEW rows AS SELECT rowid AS row, * FROM loaded");
}

/** DuckDB also converts infinite numbers, those that are not numbers, and digits with underscores. */
function numeric(sql: string): string {
  return `CASE WHEN ${isBad(sql)} THEN error('not a number') ELSE TRY_CAST(${sql} AS DOUBLE) END`;
}

function isBad(sql: string): string {
  return `(${sql} IS NOT NULL AND NOT coalesce(abs(TRY_CAST(${sql} AS DOUBLE)) < ${endOfFp32} AND NOT contains(${sql}, '_'), false))`;
}

/** The least number that rounds to infinity in FP32. */
const endOfFp32 = "3.4028235677973366e38";

/** What to say of the first value that is no number where one is needed; undefined if there is none. */
async function badNumber(
  connection: DuckDBConnection,
  path: string,
  format: CsvFormat,
  columns: readonly RelationColumn[],
  texts: string,
): Promise<ServiceError | undefined> {
  const numbers = columns.flatMap(({ sql, kind }, index) => (kind === "number" ? [{ sql, index }] : []));
  const isAnyBad = numbers.map(({ sql }) => isBad(sql)).join(" OR ");
  const numbered = `SELECT row_number() OVER () - 1 AS row, * FROM (${texts})`;
  const found = await connection
    .runAndReadAll(`SELECT * FROM (${numbered}) WHERE ${isAnyBad || "false"} LIMIT 1`)
    .catch(() => undefined);
  const [row, ...values] = found?.getRows()[0] ?? [];
  const bad = numbers.find(({ index }) => typeof values[index] === "string" && !isFiniteFp32(values[index]));
  if (bad === undefined) return undefined;
  const line = await csvLineOf(path, format, Number(row));
  return badValue(`line ${line}`, columns[bad.index].name, bad.index, String(values[bad.index]));
}

/** A query of all values as texts, without blanks around them; missing ones are NULL. */
function textsOf(
  { path }: DatasetFile,
  { header, delimiter, missingText }: CsvFormat,
  columns: readonly RelationColumn[],
): string {
  const settings = [
    "auto_detect = false",
    "header = false",
    `delim = ${sqlText(delimiter)}`,
    `quote = '"'`,
    `escape = '"'`,
    `columns = {${columns.map(({ sql }) => `${sql}: 'VARCHAR'`).join(", ")}}`,
    "nullstr = ''",
    "strict_mode = true",
    "null_padding = false",
    "ignore_errors = false",
    "parallel = false",
    `max_line_size = ${recordBytesMax}`,
  ];
  const values = columns.map(({ sql }) => `nullif(nullif(trim(${sql}, ' \t'), ''), ${sqlText(missingText)}) AS ${sql}`);
  return `SELECT ${values.join(", ")} FROM read_csv(${sqlText(path)}, ${settings.join(", ")}) OFFSET ${header ? 1 : 0}`;
}
