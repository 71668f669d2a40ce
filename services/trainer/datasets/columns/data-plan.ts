/** How the columns of a file become the rows of a training; the fields are those of the contract, with their defaults set. */
export interface DataPlan {
  /** Columns that something is said of. */
  readonly columns: readonly ColumnPlan[];
  /** How many of the last columns are targets where none has that role; 0 where none are. */
  readonly targetCount: number;
  readonly split: SplitPlan;
  /** Share of rows held out, in [0, 1); 0 where the split is given. */
  readonly validationShare: number;
  /** An integer in [0, 2^53): decides which rows are held out. */
  readonly seed: number;
}

export interface ColumnPlan {
  readonly name: string;
  /** Undefined where `targetCount` says it. */
  readonly role: "feature" | "target" | "ignored" | undefined;
  /** Undefined where it follows from what the column holds. */
  readonly encoding: Encoding | undefined;
  /** Undefined where the file is refused. */
  readonly missing: Missing | undefined;
}

/** How values become numbers. */
export type Encoding =
  | { readonly kind: "number" | "standard" | "min_max" | "index" }
  | { readonly kind: "one_hot"; readonly categoriesMax: number; readonly ignoreUnknown: boolean };

/** What is done where a value is missing. */
export type Missing =
  | { readonly kind: "drop_row" | "mean" | "median" | "most_frequent" }
  | { readonly kind: "constant"; readonly value: string };

/** How the rows that are held out are chosen. */
export type SplitPlan =
  | { readonly kind: "random" | "stratified" }
  | { readonly kind: "group" | "time"; readonly column: string }
  | { readonly kind: "given"; readonly column: string; readonly validation: string; readonly training: string };

/** Different values of a column that are told apart, at most; 64 MB or so of memory. */
export const distinctMax = 1_000_000;
