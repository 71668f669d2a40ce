import type { RowElements } from "../row-source.ts";

/** Wider ones are copied by the system. */
const loopedMax = 64;

/**
 * Copies `count` elements, from the `first` on, of each of `rows`; each has `stride` elements in `from`. They lie one behind the other in
 * `to`, from its row `at` on.
 */
export function copyRows(
  from: RowElements,
  stride: number,
  first: number,
  count: number,
  rows: Int32Array,
  to: RowElements,
  at: number,
): void {
  let target = at * count;
  for (const row of rows) {
    const source = row * stride + first;
    if (count > loopedMax) to.set(from.subarray(source, source + count), target);
    else for (let index = 0; index < count; index++) to[target + index] = from[source + index]!;
    target += count;
  }
}
