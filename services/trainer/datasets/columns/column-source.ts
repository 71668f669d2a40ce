/**
 * Columns of a file, whatever its format. They can be read any number of times, and give the same rows in the same order each time: what is
 * prepared from them decides weights, bit for bit.
 */
export interface ColumnSource {
  /** In the order of the file; names are unique. */
  readonly columns: readonly SourceColumn[];
  readonly rowCount: number;
  /**
   * These columns of all rows, in the order of the file, some thousand rows at a time; behind them those of `exact`, as texts that say each
   * value with all its digits. A chunk is valid until the next one is asked for.
   */
  read(names: readonly string[], exact?: readonly string[]): AsyncIterable<ColumnChunk>;
  /** Where a row (from 0) is in the file, such as "line 7". */
  placeOf(row: number): string | Promise<string>;
}

export interface SourceColumn {
  readonly name: string;
  /** Times are read as microseconds since 1970; what is `other` cannot be read. */
  readonly kind: "number" | "text" | "time" | "other";
  /** Elements of a row's value: 1 in tables, those of an image or of a window of tokens elsewhere. Texts have one. */
  readonly width: number;
  /** Of a file of tensors: the axes of a row's value. */
  readonly shape?: readonly number[] | undefined;
  /** The type of its values, as DuckDB names it. */
  readonly type: string;
  /** Whether the file has its numbers as decimal digits, of which DOUBLE keeps no more than 15. */
  readonly isDecimal?: boolean | undefined;
  /** What the column is for, where the file tells; `data.columns` may say otherwise. */
  readonly role?: "feature" | "target" | undefined;
  /** All categories of a column of texts, where the file tells them. */
  readonly categories?: readonly string[] | undefined;
}

/** Some rows; their values are column by column, in the order that was asked for. */
export interface ColumnChunk {
  readonly rowCount: number;
  readonly values: readonly ColumnValues[];
}

/** Row after row, `width` elements of each. NaN is a missing number, and undefined or an empty one a missing text. */
export type ColumnValues = NumberValues | TextValues;
export type NumberValues = Float32Array | Float64Array | Int32Array;
export type TextValues = readonly (string | undefined)[];
