import type { Dimension } from "./graph.ts";

/*
 * Sizes that follow from others. One that is known only at run time is named by how it follows, so that the same size of the same
 * dimension has the same name wherever it is worked out.
 */

export function sumOf(sizes: readonly Dimension[]): Dimension {
  const named = sizes.filter((size) => typeof size === "string");
  const known = sizes.filter((size) => typeof size === "number").reduce((sum, size) => sum + size, 0);
  if (named.length === 0) return known;
  const terms = known === 0 ? named.sort() : [...named.sort(), known];
  return terms.length === 1 ? terms[0] : `(${terms.join(" + ")})`;
}

export function productOf(sizes: readonly Dimension[]): Dimension {
  const named = sizes.filter((size) => typeof size === "string");
  const known = sizes.filter((size) => typeof size === "number").reduce((product, size) => product * size, 1);
  if (named.length === 0 || known === 0) return known;
  const factors = known === 1 ? named.sort() : [known, ...named.sort()];
  return factors.length === 1 ? factors[0] : `(${factors.join(" · ")})`;
}

/** `count` divided by `by`, rounded up where both are known. */
export function quotientOf(count: Dimension, by: Dimension): Dimension {
  if (count === by) return 1;
  if (by === 1) return count;
  return typeof count === "number" && typeof by === "number" ? Math.ceil(count / by) : `(${count} / ${by})`;
}

/**
 * How many elements a slice takes of an axis of `size`: from `start` to before `end` in steps of `step`, which is not 0. Below 0, `start` and
 * `end` count from the end; beyond the ends they are moved to them (ONNX Slice 13).
 */
export function slicedSize(size: Dimension, start: Dimension, end: Dimension, step: Dimension): Dimension {
  if (typeof size === "string" || typeof start === "string" || typeof end === "string" || typeof step === "string") {
    const isWhole = start === 0 && step === 1 && (end === size || Number(end) >= 2 ** 31 - 1);
    return isWhole ? size : `${size}[${start}:${end}:${step}]`;
  }
  const clamped = (place: number, first: number, last: number) =>
    Math.min(Math.max(place < 0 ? place + size : place, first), last);
  const [from, to] =
    step > 0
      ? [clamped(start, 0, size), clamped(end, 0, size)]
      : [clamped(start, 0, size - 1), clamped(end, -1, size - 1)];
  return Math.max(0, Math.ceil((to - from) / step));
}
