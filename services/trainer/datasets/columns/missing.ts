import type { ColumnValues } from "./column-source.ts";

/** Whether a row of a chunk has no value: an empty text, or a NaN among its numbers. */
export function isMissing(values: ColumnValues, row: number, width: number): boolean {
  for (let index = row * width; index < (row + 1) * width; index++) {
    const value = values[index];
    if (value === undefined || value === "" || Number.isNaN(value)) return true;
  }
  return false;
}
