import type { RowElements, RowStorage } from "../row-source.ts";

/** What rows look like. */
export interface RowWidths {
  readonly featureCount: number;
  readonly targetCount: number;
  readonly featureType: RowType;
  readonly targetType: RowType;
}

export type RowType = "FP32" | "INT32";

/** Keeps rows that arrive in the order of the file, each for the training (0), the validation (1) or neither (2). */
export interface RowWriter {
  /** `features` and `targets` may be longer than what `parts` tells. */
  add(features: RowElements, targets: RowElements, parts: Uint8Array): Promise<void>;
  /** Where the rows are, once all are there. */
  finished(): Promise<WrittenRows>;
  /** Ends the writing, after a failure too. */
  close(): Promise<void>;
}

export interface WrittenRows {
  readonly training: RowStorage;
  readonly validation: RowStorage;
}

/** Elements of a type, in new memory or over some that there is. */
export function rowElements(type: RowType, from: number | SharedArrayBuffer): RowElements {
  if (typeof from === "number") return type === "FP32" ? new Float32Array(from) : new Int32Array(from);
  return type === "FP32" ? new Float32Array(from) : new Int32Array(from);
}

/** The rows of some that are for one of these parts, ascending. */
export function rowsFor(parts: Uint8Array, wanted: readonly number[]): Int32Array {
  const rows = new Int32Array(parts.length);
  let count = 0;
  const [first, second = first] = wanted;
  for (let row = 0; row < parts.length; row++) if (parts[row] === first || parts[row] === second) rows[count++] = row;
  return rows.subarray(0, count);
}
