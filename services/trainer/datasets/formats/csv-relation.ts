import type { DuckDBConnection } from "@duckdb/node-api";
import { messageOf } from "../../../../lib/errors.ts";
import { checkColumnCount } from "./columns-max.ts";
import { badCsvValue, type CsvStructure, csvLineOf, csvStructure, decimal } from "./csv-structure.ts";
import { recordBytesMax } from "./csv-tokenizer.ts";
import { badValue, datasetError } from "./dataset-error.ts";
import { numberOf, openDatabase, readFault, sqlText } from "./duckdb.ts";
import type { CsvFormat, DatasetFile } from "./file-format.ts";
import { badTime, isIsoTime } from "./iso-times.ts";
import type { Relation, RelationColumn } from "./relation.ts";
import { convertRows } from "./row-view.ts";

/**
 * A file of comma-separated values. Its structure is checked first, byte by byte, because DuckDB leaves out a record with an unclosed quote
 * without a word; then DuckDB converts the values, once, into a Parquet file in the job's folder.
 */
export async function openCsv(file: DatasetFile, format: CsvFormat): Promise<Relation> {
  const { path, kinds } = file;
  const structure = await csvStructure(path, format, kinds);
  const { names, isNumeric, columnCount, rowCount } = structure;
  checkColumnCount(columnCount);
  checkNames(names);
  const columns = names.map((name, index): RelationColumn => {
    const kind = isNumeric[index] ? "number" : kinds?.get(name) === "time" ? "time" : "text";
    return { name, sql: `c${index}`, kind, type: typeOf[kind] };
  });
  const database = await openDatabase(file);
  const { connection, close } = database;
  try {
    const converted = await load(connection, { path, folder: file.folder, format, columns, structure });
    const read = await numberOf(connection, "SELECT count(*) FROM rows");
    if (read !== rowCount) throw datasetError(`the file is not CSV: ${read} of its ${rowCount} rows can be read`);
    await database.seal(converted);
  } catch (failure) {
    close();
    throw readFault(failure);
  }
  const placeOf = async (row: number) => `line ${await csvLineOf(path, format, row)}`;
  return { kind: "relation", connection, columns, rowCount, placeOf, close };
}

const typeOf = { number: "DOUBLE", text: "VARCHAR", time: "TIMESTAMP" } as const;

function isFiniteFp32(text: string): boolean {
  return decimal.test(text) && Number.isFinite(Math.fround(Number(text)));
}

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

/** What is known of a file before DuckDB reads it. */
interface CsvTable {
  readonly path: string;
  readonly folder: string;
  readonly format: CsvFormat;
  readonly columns: readonly RelationColumn[];
  readonly structure: CsvStructure;
}

/**
 * Converts the values and answers the path of the result; where DuckDB would take too much or too little for a number, the file is read again
 * by the rule of {@link decimal}.
 */
async function load(connection: DuckDBConnection, table: CsvTable): Promise<string> {
  const { columns, structure, folder } = table;
  const numbers = columns.flatMap(({ kind, sql }, index) => (kind === "number" ? [{ index, sql }] : []));
  const underscored = numbers.filter(({ index }) => structure.underscored.has(index));
  if (underscored.length > 0) await checkNumbers(table, underscored);
  await checkTimes(table);
  const convert = (byTexts: boolean) => convertRows(connection, values(table, byTexts), columns, folder);
  const converted = await convert(false).catch(async (failure) => {
    await checkNumbers(table, numbers);
    // What is left are blanks, alone or around the text for a missing value.
    if (!messageOf(failure).startsWith("Conversion Error")) throw readFault(failure);
    return convert(true);
  });
  if (await isAnyBeyondFp32(connection, numbers)) await checkNumbers(table, numbers);
  return converted;
}

/** The values of a file, column by column. Every setting that DuckDB would guess is given. */
function values({ path, format, columns, structure }: CsvTable, byTexts: boolean): string {
  const { delimiter, header, missingText } = format;
  const settings = [
    "auto_detect = false",
    `skip = ${structure.emptyLines}`,
    `header = ${header}`,
    `delim = ${sqlText(delimiter)}`,
    `quote = '"'`,
    `escape = '"'`,
    `columns = {${columns.map(({ sql, kind }) => `${sql}: '${kind === "number" && !byTexts ? "DOUBLE" : "VARCHAR"}'`).join(", ")}}`,
    // The same text twice would double rows.
    `nullstr = [${[...new Set(["", missingText])].map(sqlText).join(", ")}]`,
    "strict_mode = true",
    "null_padding = false",
    "ignore_errors = false",
    "parallel = false",
    "hive_partitioning = false",
    `max_line_size = ${recordBytesMax}`,
    // By itself it would be 16 times of that.
    `buffer_size = ${recordBytesMax * 2}`,
  ];
  const selected = columns.map(({ sql, kind }) => {
    if (kind === "text") return `${textual(sql, missingText)} AS ${sql}`;
    if (kind === "time") return `CAST(${textual(sql, missingText)} AS TIMESTAMP) AS ${sql}`;
    return byTexts ? `TRY_CAST(${textual(sql, missingText)} AS DOUBLE) AS ${sql}` : sql;
  });
  return `SELECT ${selected.join(", ")} FROM read_csv(${sqlText(path)}, ${settings.join(", ")})`;
}

/** A text without the blanks around it, which trim() costs more time than all else; NULL where it is missing. */
function textual(sql: string, missingText: string): string {
  const trimmed = `CASE WHEN contains(${sql}, ' ') OR contains(${sql}, '	') THEN trim(${sql}, ' 	') ELSE ${sql} END`;
  return `nullif(nullif(${trimmed}, ''), ${sqlText(missingText)})`;
}

/** Throws DATASET_INVALID for the first value that is no number. */
async function checkNumbers(
  { path, format, columns }: CsvTable,
  numbers: readonly { readonly index: number }[],
): Promise<void> {
  const bad = await badCsvValue(path, format, new Set(numbers.map(({ index }) => index)), isFiniteFp32);
  if (bad !== undefined)
    throw badValue(`line ${bad.line}`, { label: bad.column + 1, name: columns[bad.column].name }, bad.text);
}

/** Throws DATASET_INVALID for the first value that is no time where times are. */
async function checkTimes({ path, format, columns }: CsvTable): Promise<void> {
  const times = columns.flatMap(({ kind }, index) => (kind === "time" ? [index] : []));
  if (times.length === 0) return;
  const bad = await badCsvValue(path, format, new Set(times), isIsoTime);
  if (bad !== undefined)
    throw badTime(`line ${bad.line}`, { label: bad.column + 1, name: columns[bad.column]!.name }, bad.text);
}

/** Whether a number is infinite, NaN, or rounds to infinity in FP32. */
async function isAnyBeyondFp32(
  connection: DuckDBConnection,
  numbers: readonly { readonly sql: string }[],
): Promise<boolean> {
  for (let begin = 0; begin < numbers.length; begin += columnsPerQuery) {
    const largest = numbers.slice(begin, begin + columnsPerQuery).map(({ sql }) => `max(abs(${sql}))`);
    const query = `SELECT coalesce(greatest(${largest.join(", ")}) >= ${endOfFp32}, false)::INTEGER FROM rows`;
    if ((await numberOf(connection, query)) === 1) return true;
  }
  return false;
}

/** The least number that rounds to infinity in FP32. */
const endOfFp32 = "3.4028235677973366e38";

const columnsPerQuery = 256;
