import { type CsvReader, readRecords } from "./csv-tokenizer.ts";
import { datasetError } from "./dataset-error.ts";
import type { CsvFormat, DatasetFile, SaidKind } from "./file-format.ts";

/** What a file of comma-separated values has. */
export interface CsvStructure {
  readonly columnCount: number;
  /** Without the header. */
  readonly rowCount: number;
  /** Lines without anything before the first record. */
  readonly emptyLines: number;
  /** The fields of the header, or "column0", "column1", … without one. */
  readonly names: readonly string[];
  /** Whether the values of each column are numbers: by the first one that is not missing, or of categories by all of them. */
  readonly isNumeric: readonly boolean[];
  /** Columns with a plain value that has an underscore, which DuckDB takes between digits. */
  readonly underscored: ReadonlySet<number>;
}

/** A decimal number; Number() alone would also take hexadecimal ones. */
export const decimal = /^[-+]?(\d+\.?\d*|\.\d+)(e[-+]?\d+)?$/i;

/** Reads all of a file for its structure; throws DATASET_INVALID as {@link readRecords} does, and for a file without rows. */
export async function csvStructure(
  path: string,
  format: CsvFormat,
  kinds: DatasetFile["kinds"] = new Map(),
): Promise<CsvStructure> {
  const reader = new StructureReader(format, kinds);
  const { recordCount, columnCount, emptyLines } = await readRecords(path, format, reader);
  const rowCount = recordCount - reader.headerCount;
  if (rowCount < 1) throw datasetError("the file has no rows; needed: at least 1");
  const { names, underscored } = reader;
  const isNumeric = names.map((_, column) => reader.isNumeric(column));
  return { columnCount, rowCount, emptyLines, names, isNumeric, underscored };
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

/** Takes the names, and the values that say what a column holds. */
class StructureReader implements CsvReader {
  readonly isDone = false;
  readonly headerCount: number;
  readonly names: string[] = [];
  readonly underscored = new Set<number>();
  readonly #format: CsvFormat;
  readonly #kinds: ReadonlyMap<string, SaidKind>;
  /** Of columns of which it is known. */
  readonly #isNumber: (boolean | undefined)[] = [];
  /** Columns whose values still have to be looked at. */
  readonly #open = new Set<number>();
  #record = 0;

  constructor(format: CsvFormat, kinds: ReadonlyMap<string, SaidKind>) {
    this.#format = format;
    this.#kinds = kinds;
    this.headerCount = format.header ? 1 : 0;
  }

  wants(record: number, column: number): boolean {
    return record === 0 || (this.#open.size > 0 && this.#open.has(column));
  }

  onValue(text: string, column: number): void {
    if (this.#record === 0) {
      this.names.push(this.#format.header ? text : `column${column}`);
      this.#open.add(column);
      if (this.#format.header) return;
    }
    if (isMissing(text, this.#format)) return;
    const isNumber = decimal.test(text);
    this.#isNumber[column] = isNumber;
    if (!isNumber || this.#kinds.get(this.names[column]!) !== "category") this.#open.delete(column);
  }

  onUnderscore(column: number): void {
    if (this.#record >= this.headerCount) this.underscored.add(column);
  }

  onRecord(): void {
    this.#record++;
  }

  /** A column without a value may as well be one of numbers. */
  isNumeric(column: number): boolean {
    return this.#kinds.get(this.names[column]!) === "number" || (this.#isNumber[column] ?? true);
  }
}
