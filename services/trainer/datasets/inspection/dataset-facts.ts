/** What is in a file of a dataset; the fields are those of the contract. */
export interface DatasetFacts {
  readonly format: string;
  readonly rowCount: number;
  readonly columns: readonly ColumnFacts[];
  /** The first rows, values by column, as texts; missing ones are empty. */
  readonly preview: readonly { readonly values: readonly string[] }[];
}

export interface ColumnFacts {
  readonly name: string;
  readonly type: string;
  readonly missingCount: number;
  readonly distinctCount: number;
  readonly min?: number | undefined;
  readonly max?: number | undefined;
  readonly mean?: number | undefined;
  readonly deviation?: number | undefined;
  readonly mostFrequent: readonly { readonly value: string; readonly count: number }[];
}

/** Values that are named as the most frequent ones of a column. */
export const mostFrequentMax = 10;

/** Different values of a column up to which they are counted one by one. */
export const countedMax = 10_000;

/** Rows of a preview, so that it stays small where there are very many columns. */
export function previewRowCount(wanted: number, columnCount: number): number {
  return Math.min(wanted, Math.max(1, Math.floor(previewValuesMax / columnCount)));
}

const previewValuesMax = 10_000;

/** A value as a preview has it. */
export function shown(value: string): string {
  return value.length <= shownLength ? value : `${value.slice(0, shownLength)}…`;
}

const shownLength = 256;
