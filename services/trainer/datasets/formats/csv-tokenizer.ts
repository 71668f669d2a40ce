import { createReadStream } from "node:fs";
import { counted, datasetError } from "./dataset-error.ts";
import type { CsvFormat } from "./file-format.ts";

/** Bytes of the longest record; an unclosed quote would otherwise draw the whole file into memory. */
export const recordBytesMax = 2 * 1024 ** 2;

/** What is made of a file's records. They are counted from 0 with the header, columns from 0, lines from 1. */
export interface CsvReader {
  /** Whether {@link onValue} is to be told the text of this value. */
  wants(record: number, column: number): boolean;
  /** A value that is wanted, without the blanks around it. */
  onValue(text: string, column: number, line: number): void;
  /** A plain value has an underscore in it. */
  onUnderscore?(column: number): void;
  /** The record that begins in `line` is over. */
  onRecord(record: number, line: number): void;
  /** Whether nothing more needs to be read. */
  readonly isDone: boolean;
}

/** What all records together are. */
export interface CsvExtent {
  readonly recordCount: number;
  readonly columnCount: number;
  /** Lines without anything before the first record. */
  readonly emptyLines: number;
}

/**
 * Reads a file of comma-separated values (RFC 4180; blanks around values do not count, and lines without anything are no records where
 * there are several columns). Throws DATASET_INVALID that names the line of a record with another count of columns or another end than the first one, of
 * a quote that is never closed, inside a value or before one, and of a record that is too long.
 */
export async function readRecords(path: string, { delimiter }: CsvFormat, reader: CsvReader): Promise<CsvExtent> {
  const tokenizer = new CsvTokenizer(delimiter.charCodeAt(0), reader);
  for await (const bytes of createReadStream(path, { highWaterMark: 256 * 1024 })) {
    tokenizer.read(bytes as Buffer);
    if (reader.isDone) return tokenizer.extent;
  }
  tokenizer.finish();
  return tokenizer.extent;
}

const [lineFeed, carriageReturn, quote, blank, tab, underscore] = [10, 13, 34, 32, 9, 95];

/** Where the tokenizer is in a value: before it, in a plain one, in a quoted one, behind a quote in a quoted one, or behind that. */
const [before, plain, quoted, atQuote, behind] = [0, 1, 2, 3, 4];

/** What ends lines outside of quotes; a file has one of them. */
type LineEnd = "LF" | "CRLF" | "CR";

class CsvTokenizer {
  readonly #delimiter: number;
  readonly #reader: CsvReader;
  /** 1 for each byte that changes nothing inside a plain value. */
  readonly #ordinary = new Uint8Array(256).fill(1);
  #state = before;
  #isFirst = true;
  #afterReturn = false;
  #isEmpty = true;
  #record = 0;
  #column = 0;
  #columnCount: number | undefined;
  #line = 1;
  #recordLine = 1;
  #recordBytes = 0;
  #firstLine = 1;
  #lineEnd: LineEnd | undefined;
  /** The bytes of the value that is wanted. */
  #value: number[] = [];
  #isWanted: boolean;

  constructor(delimiter: number, reader: CsvReader) {
    this.#delimiter = delimiter;
    this.#reader = reader;
    this.#isWanted = reader.wants(0, 0);
    for (const byte of [delimiter, quote, lineFeed, carriageReturn, underscore]) this.#ordinary[byte] = 0;
  }

  get extent(): CsvExtent {
    return { recordCount: this.#record, columnCount: this.#columnCount ?? 0, emptyLines: this.#firstLine - 1 };
  }

  read(bytes: Uint8Array): void {
    const [delimiter, ordinary] = [this.#delimiter, this.#ordinary];
    const hasMark = this.#isFirst && bytes[0] === 0xef && bytes[1] === 0xbb && bytes[2] === 0xbf;
    let index = hasMark ? 3 : 0;
    let recordBegin = index - this.#recordBytes;
    let [state, afterReturn] = [this.#state, this.#afterReturn];
    this.#isFirst = false;
    for (; index < bytes.length; index++) {
      const byte = bytes[index];
      if (afterReturn && byte !== lineFeed) this.#noteLineEnd("CR");
      if (state === quoted) {
        if (byte === quote) state = atQuote;
        else if (byte === lineFeed) this.#line++;
        if (this.#isWanted && byte !== quote) this.#value.push(byte);
      } else if (byte === delimiter) {
        this.#endValue();
        this.#isEmpty = false;
        state = before;
      } else if (byte === lineFeed || byte === carriageReturn) {
        if (byte === carriageReturn || !afterReturn) this.#endRecord(index - recordBegin);
        if (byte === lineFeed) this.#noteLineEnd(afterReturn ? "CRLF" : "LF");
        recordBegin = index + 1;
        state = before;
      } else {
        if (this.#isWanted && !(byte === quote && state === before)) this.#value.push(byte);
        state = this.#next(state, byte);
        this.#isEmpty = false;
        if (state === plain && !this.#isWanted) while (ordinary[bytes[index + 1]] === 1) index++;
      }
      afterReturn = byte === carriageReturn;
    }
    this.#state = state;
    this.#afterReturn = afterReturn;
    this.#recordBytes = bytes.length - recordBegin;
    this.#checkLength(this.#recordBytes);
  }

  finish(): void {
    if (this.#state === quoted) throw datasetError(`the quote of line ${this.#recordLine} is never closed`);
    if (this.#recordBytes > 0) this.#endRecord(this.#recordBytes);
  }

  /** The state behind a byte that ends nothing. */
  #next(state: number, byte: number): number {
    if (byte === quote) {
      if (state === plain || state === behind) throw this.#misplacedQuote();
      return quoted;
    }
    if (byte === blank || byte === tab) return state === atQuote ? behind : state;
    if (state === atQuote || state === behind) throw this.#misplacedQuote();
    if (byte === underscore) this.#reader.onUnderscore?.(this.#column);
    return plain;
  }

  #endValue(): void {
    if (this.#isWanted) {
      this.#reader.onValue(trimmed(Buffer.from(this.#value).toString()), this.#column, this.#recordLine);
      this.#value = [];
    }
    this.#isWanted = this.#reader.wants(this.#record, ++this.#column);
  }

  /** How the line before this one has ended. */
  #noteLineEnd(end: LineEnd): void {
    this.#lineEnd ??= end;
    if (end === this.#lineEnd) return;
    throw datasetError(
      `line ${this.#line - 1} ends with ${end}, and those before with ${this.#lineEnd}; needed: the same end for all lines`,
    );
  }

  #endRecord(bytes: number): void {
    this.#checkLength(bytes);
    if (!this.#isEmpty || this.#columnCount === 1) {
      this.#endValue();
      this.#checkWidth(this.#column);
      this.#reader.onRecord(this.#record++, this.#recordLine);
    }
    this.#column = 0;
    this.#isEmpty = true;
    this.#isWanted = this.#reader.wants(this.#record, 0);
    this.#recordLine = ++this.#line;
  }

  #checkWidth(width: number): void {
    if (this.#columnCount === undefined) {
      this.#columnCount = width;
      this.#firstLine = this.#recordLine;
    }
    if (width === this.#columnCount) return;
    const needed = `${this.#columnCount}, as in line ${this.#firstLine}`;
    throw datasetError(`line ${this.#recordLine} has ${counted(width, "column")}; needed: ${needed}`, {
      place: `line ${this.#recordLine}`,
    });
  }

  #checkLength(bytes: number): void {
    if (bytes <= recordBytesMax) return;
    const cause = this.#state === quoted ? "; its quote may never be closed" : "";
    throw datasetError(`line ${this.#recordLine} has more than ${recordBytesMax} bytes${cause}`);
  }

  #misplacedQuote(): Error {
    const place = `line ${this.#line}, column ${this.#column + 1}`;
    return datasetError(
      `the file is not CSV: ${place} has a quote out of place; needed: quotes around all of a value, and doubled ones inside`,
    );
  }
}

/** Without the spaces and tabs around it, as DuckDB has it; other blanks, such as a no-break space, are part of a value. */
function trimmed(text: string): string {
  return text.replace(/^[ \t]+|[ \t]+$/g, "");
}
