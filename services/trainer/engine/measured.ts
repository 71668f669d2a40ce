/** Sums over rows, in double precision and in their order; `correctCount` for class targets only, of all their places. */
export interface Measured {
  readonly rowCount: number;
  readonly lossSum: number;
  readonly correctCount: number | undefined;
}

/** Of no rows. */
export const nothingMeasured: Measured = { rowCount: 0, lossSum: 0, correctCount: undefined };

/**
 * With batches of so many rows each, one after the other, so that sums are the same however many come at once. `losses` are means over
 * rows.
 */
export function withBatches(
  sum: Measured,
  batchRows: number,
  losses: ArrayLike<number>,
  correctCounts: ArrayLike<number> | undefined,
): Measured {
  let { lossSum, correctCount } = sum;
  for (let batch = 0; batch < losses.length; batch++) lossSum += losses[batch]! * batchRows;
  if (correctCounts !== undefined) {
    correctCount ??= 0;
    for (let batch = 0; batch < correctCounts.length; batch++) correctCount += correctCounts[batch]!;
  }
  return { rowCount: sum.rowCount + losses.length * batchRows, lossSum, correctCount };
}
