import { specError } from "../graph/spec-error.ts";

/** Rows of one call; `byDefault` where nothing is said. SPEC_INVALID for too many. */
export function rowsPerCallOf(batchSize: number, byDefault: number): number {
  if (batchSize >= 0 && batchSize <= rowsPerCallMax) return batchSize || byDefault;
  throw specError("batch_size", batchSize, `a whole number in [1, ${rowsPerCallMax}]`);
}

const rowsPerCallMax = 65_536;
