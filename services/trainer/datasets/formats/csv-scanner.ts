import { createReadStream } from "node:fs";
import { counted, datasetError } from "./dataset-error.ts";
import type { CsvFormat } from "./file-format.ts";

/** Bytes of the longest record; an unclosed quote would otherwise draw the whole file into memory. */
export const recordBytesMax = 2 * 1024 ** 2;

/** What a file of comma-separated values has. */
export interface CsvStructure {
  readonly columnCount: number;
  /** Without the header. */
  readonly rowCount: number;
  /** The fields of the header; undefined without one. */
  readonly names: readonly string[] | undefined;
  /** Of each column, the first value that is not missing. */
  readonly firstValues: readonly (string | undefined)[];
}

/**
 * Reads all of a file for its structure alone (RFC 4180; blanks around values do not count, lines without anything are no records where
 * there are several columns). Throws DATASET_INVALID that names the line of a record with another count of columns than the first one, of
 * a quote that is never closed, inside a value or before one, and of a record that is too long.
 */
export async function csvStructure(path: string, format: CsvFormat): Promise<CsvStructure> {
  const scanner = new CsvScanner(format);
  for await (const bytes of createReadStream(path, { highWaterMark: chunkBytes })) scanner.scan(bytes as Buffer);
  return scanner.finished();
}

/** The line, from 1, in which a row begins that {@link csvStructure} has counted. */
export async function csvLineOf(path: string, format: CsvFormat, row: number): Promise<number> {
  const scanner = new CsvScanner(format, row + (format.header ? 1 : 0));
  for await (const bytes of createReadStream(path, { highWaterMark: chunkBytes })) {
    scanner.scan(bytes as Buffer);
    if (scanner.foundLine !== undefined) return scanner.foundLine;
  }
  scanner.finished();
  return scanner.foundLine ?? Number.NaN;
}

const chunkBytes = 256 * 1024;

const [lineFeed, carriageReturn, quote, blank, tab] = [10, 13, 34, 32, 9];

/** Where the scanner is in a value: before it, in a plain one, in a quoted one, behind a quote in a quoted one, or behind that. */
const [before, plain, quoted, atQuote, behind] = [0, 1, 2, 3, 4];

/** A file's records, byte by byte; only values that are asked for are kept. */
class CsvScanner {
  /** Of the record that was looked for, once it was there. */
  foundLine: number | undefined;
  readonly #format: CsvFormat;
  readonly #delimiter: number;
  readonly #wanted: number | undefined;
  #state = before;
  #line = 1;
  #recordLine = 1;
  #recordBytes = 0;
  #isEmpty = true;
  #field = 0;
  #records = 0;
  #columnCount: number | undefined;
  #firstLine = 1;
  #names: string[] | undefined;
  readonly #firstValues: (string | undefined)[] = [];
  #undecided = 0;
  /** Bytes of the value, while it is kept. */
  #value: number[] = [];
  #isKept = true;
  #afterReturn = false;
  #isFirst = true;

  constructor(format: CsvFormat, wanted?: number) {
    this.#format = format;
    this.#delimiter = format.delimiter.charCodeAt(0);
    this.#wanted = wanted;
  }

  scan(bytes: Uint8Array): void {
    const delimiter = this.#delimiter;
    let index = this.#isFirst && bytes[0] === 0xef && bytes[1] === 0xbb && bytes[2] === 0xbf ? 3 : 0;
    let recordBegin = index - this.#recordBytes;
    let [state, afterReturn] = [this.#state, this.#afterReturn];
    this.#isFirst = false;
    for (; index < bytes.length; index++) {
      const byte = bytes[index];
      if (state === quoted) {
        if (byte === quote) state = atQuote;
        else if (byte === lineFeed) this.#line++;
        if (this.#isKept && byte !== quote) this.#value.push(byte);
      } else if (byte === delimiter) {
        this.#endValue();
        this.#isEmpty = false;
        state = before;
      } else if (byte === lineFeed || byte === carriageReturn) {
        if (byte === carriageReturn || !afterReturn) this.#endRecord(index - recordBegin);
        recordBegin = index + 1;
        state = before;
      } else {
        if (this.#isKept && !(byte === quote && state === before)) this.#value.push(byte);
        state = this.#next(state, byte);
        this.#isEmpty = false;
      }
      afterReturn = byte === carriageReturn;
    }
    this.#state = state;
    this.#afterReturn = afterReturn;
    this.#recordBytes = bytes.length - recordBegin;
    this.#checkLength(this.#recordBytes);
  }

  finished(): CsvStructure {
    if (this.#state === quoted) throw datasetError(`the quote of line ${this.#recordLine} is never closed`);
    if (this.#recordBytes > 0) this.#endRecord(this.#recordBytes);
    const rowCount = this.#records - (this.#format.header ? 1 : 0);
    if (rowCount < 1) throw datasetError("the file has no rows; needed: at least 1");
    return {
      columnCount: this.#columnCount!,
      rowCount,
      names: this.#names,
      firstValues: this.#firstValues,
    };
  }

  /** The state behind a byte that ends nothing. */
  #next(state: number, byte: number): number {
    if (byte === quote) {
      if (state === plain || state === behind) throw this.#misplacedQuote();
      return quoted;
    }
    if (byte === blank || byte === tab) return state === atQuote ? behind : state;
    if (state === atQuote || state === behind) throw this.#misplacedQuote();
    return plain;
  }

  #endValue(): void {
    if (this.#isKept) this.#keep(Buffer.from(this.#value).toString().trim());
    this.#field++;
    this.#isKept = this.#mustKeep(this.#field);
  }

  #keep(value: string): void {
    this.#value = [];
    if (this.#records === 0 && this.#format.header) {
      this.#names ??= [];
      this.#names.push(value);
    } else if (value !== "" && value !== this.#format.missingText && this.#firstValues[this.#field] === undefined) {
      this.#firstValues[this.#field] = value;
      this.#undecided--;
    }
  }

  #endRecord(bytes: number): void {
    this.#checkLength(bytes);
    if (!this.#isEmpty || this.#columnCount === 1) {
      if (this.#records === this.#wanted) this.foundLine = this.#recordLine;
      this.#endValue();
      this.#checkWidth(this.#field);
      this.#records++;
    }
    this.#field = 0;
    this.#isEmpty = true;
    this.#isKept = this.#mustKeep(0);
    this.#recordLine = ++this.#line;
  }

  /** Whether the value of a column is still looked for: all in the first record, and then those of which none was seen. */
  #mustKeep(field: number): boolean {
    if (this.#columnCount === undefined) return true;
    return this.#undecided > 0 && field < this.#columnCount && this.#firstValues[field] === undefined;
  }

  #checkWidth(width: number): void {
    if (this.#columnCount === undefined) {
      this.#columnCount = width;
      this.#firstLine = this.#recordLine;
      this.#undecided += width;
    }
    if (width === this.#columnCount) return;
    const needed = `${this.#columnCount}, as in line ${this.#firstLine}`;
    throw datasetError(`line ${this.#recordLine} has ${counted(width, "column")}; needed: ${needed}`, {
      line: String(this.#recordLine),
    });
  }

  #checkLength(bytes: number): void {
    if (bytes <= recordBytesMax) return;
    const cause = this.#state === quoted ? "; its quote may never be closed" : "";
    throw datasetError(`line ${this.#recordLine} has more than ${recordBytesMax} bytes${cause}`);
  }

  #misplacedQuote(): Error {
    const needed = "quotes around all of a value, and doubled ones inside";
    return datasetError(
      `the file is not CSV: line ${this.#line}, column ${this.#field + 1} has a quote out of place; needed: ${needed}`,
    );
  }
}
