import { type CsvReader, readRecords } from "./csv-tokenizer.ts";
import { datasetError } from "./dataset-error.ts";
import type { CsvFormat } from "./file-format.ts";

/** What a file of comma-separated values has. */
export interface CsvStructure {
  readonly columnCount: number;
  /** Without the header. */
  readonly rowCount: number;
  /** Lines without anything before the first record. */
  readonly emptyLines: number;
  /** The fields of the header; undefined without one. */
  readonly names: readonly string[] | undefined;
  /** Of each column, the first value that is not missing. */
  readonly firstValues: readonly (string | undefined)[];
  /** Columns with a plain value that has an underscore, which DuckDB takes between digits. */
  readonly underscored: ReadonlySet<number>;
}

/** Reads all of a file for its structure; throws DATASET_INVALID as {@link readRecords} does, and for a file without rows. */
export async function csvStructure(path: string, format: CsvFormat): Promise<CsvStructure> {
  const reader = new StructureReader(format);
  const { recordCount, columnCount, emptyLines } = await readRecords(path, format, reader);
  const rowCount = recordCount - reader.headerCount;
  if (rowCount < 1) throw datasetError("the file has no rows; needed: at least 1");
  const { names, firstValues, underscored } = reader;
  return { columnCount, rowCount, emptyLines, names: format.header ? names : undefined, firstValues, underscored };
}

/** The line in which a row begins, from 1; rows are counted from 0. */
export async function csvLineOf(path: string, format: CsvFormat, row: number): Promise<number> {
  const wanted = row + (format.header ? 1 : 0);
  let found = Number.NaN;
  await readRecords(path, format, {
    wants: () => false,
    onValue: () => {},
    onRecord: (record, line) => {
      if (record === wanted) found = line;
    },
    get isDone() {
      return !Number.isNaN(found);
    },
  });
  return found;
}

/** A value and its place, the line from 1, the column from 0. */
export interface CsvValue {
  readonly text: string;
  readonly line: number;
  readonly column: number;
}

/** The first value of the given columns that is neither missing nor good. */
export async function badCsvValue(
  path: string,
  format: CsvFormat,
  columns: ReadonlySet<number>,
  isGood: (text: string) => boolean,
): Promise<CsvValue | undefined> {
  let found: CsvValue | undefined;
  await readRecords(path, format, {
    wants: (record, column) => columns.has(column) && !(format.header && record === 0),
    onValue: (text, column, line) => {
      if (!isMissing(text, format) && !isGood(text)) found ??= { text, line, column };
    },
    onRecord: () => {},
    get isDone() {
      return found !== undefined;
    },
  });
  return found;
}

function isMissing(text: string, { missingText }: CsvFormat): boolean {
  return text === "" || text === missingText;
}

/** Takes the names and first values, and reads on to the end. */
class StructureReader implements CsvReader {
  readonly isDone = false;
  readonly headerCount: number;
  readonly names: string[] = [];
  readonly firstValues: (string | undefined)[] = [];
  readonly underscored = new Set<number>();
  readonly #format: CsvFormat;
  #record = 0;
  /** Columns of which no value was seen, once their count is known. */
  #open = Number.POSITIVE_INFINITY;
  #columnCount = 0;

  constructor(format: CsvFormat) {
    this.#format = format;
    this.headerCount = format.header ? 1 : 0;
  }

  wants(record: number, column: number): boolean {
    return record === 0 || (this.#open > 0 && this.firstValues[column] === undefined);
  }

  onValue(text: string, column: number): void {
    if (this.#record === 0) this.#columnCount = column + 1;
    if (this.#record < this.headerCount) this.names.push(text);
    else if (!isMissing(text, this.#format)) this.firstValues[column] = text;
  }

  onUnderscore(column: number): void {
    if (this.#record >= this.headerCount) this.underscored.add(column);
  }

  onRecord(): void {
    this.#record++;
    if (this.#open === 0) return;
    let open = 0;
    for (let column = 0; column < this.#columnCount; column++) if (this.firstValues[column] === undefined) open++;
    this.#open = open;
  }
}
