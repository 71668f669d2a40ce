import { datasetError } from "./dataset-error.ts";

/** Columns of a file that is read as columns; what each costs in plans of queries adds up. */
const columnsMax = 16_384;

/** Throws DATASET_INVALID for a file with too many columns. */
export function checkColumnCount(count: number): void {
  if (count > columnsMax) throw datasetError(`the file has ${count} columns; needed: at most ${columnsMax}`);
}
