import { Random } from "./random.ts";

/** Row numbers of a dataset, ascending; every row is in exactly one of the two. */
export interface RowSplit {
  readonly training: Int32Array;
  readonly validation: Int32Array;
}

/**
 * Which rows of a dataset a training job learns from, and which it holds out.
 *
 * This is a contract: a client that knows a job's row count, share and seed computes the same split and so knows which
 * rows the model has never seen. The rows held out are the first `round(rowCount × validationShare)` of the permutation
 * of all rows by `Random(seed, "split")`.
 *
 * `validationShare` is in [0, 1); `seed` as for {@link Random}.
 */
export function splitRows(rowCount: number, validationShare: number, seed: number): RowSplit {
  const validationCount = validationRowCount(rowCount, validationShare);
  const order = new Random(seed, "split").permutation(rowCount);
  return { training: order.slice(validationCount).sort(), validation: order.slice(0, validationCount).sort() };
}

/** How many rows a job holds out; all others are for training. */
export function validationRowCount(rowCount: number, validationShare: number): number {
  return Math.round(rowCount * validationShare);
}
