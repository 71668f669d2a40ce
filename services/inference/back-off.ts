/** How waits between attempts grow. */
export interface BackOff {
  /** Bound of the first wait in milliseconds; doubled with every further attempt. */
  readonly firstMs: number;
  /** Bound of every wait in milliseconds. */
  readonly maxMs: number;
}

/**
 * How long to wait before another attempt, in milliseconds: between half of the bound and the bound, so that many who lost
 * the same thing do not come back together.
 *
 * `failureCount` is the number of failures in a row, at least 1; `random` is in [0, 1).
 */
export function backOffMs(failureCount: number, { firstMs, maxMs }: BackOff, random: number): number {
  const bound = Math.min(maxMs, firstMs * 2 ** Math.min(failureCount - 1, 30));
  return (bound / 2) * (1 + random);
}
