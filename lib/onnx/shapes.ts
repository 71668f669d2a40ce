import { assert } from "../errors.ts";
import { productOf, quotientOf, removed } from "./dimensions.ts";
import type { Dimension, Shape } from "./graph.ts";

/**
 * The shape of an element-wise operation's result (ONNX multidirectional broadcasting). Fails where two dimensions are
 * neither equal nor 1: a named dimension counts as different from every number but 1.
 */
export function broadcastShape(a: Shape, b: Shape): Shape {
  const rank = Math.max(a.length, b.length);
  return Array.from({ length: rank }, (_, axis) => {
    const [left, right] = [aligned(a, rank, axis), aligned(b, rank, axis)];
    assert(left === right || left === 1 || right === 1, `[${a}] and [${b}] broadcast`);
    return left === 1 ? right : left;
  });
}

/** The shape after a reduction over `axes`, all of them when absent; negative axes count from the end. */
export function reducedShape(shape: Shape, axes: readonly number[] | undefined, keepDimensions: boolean): Shape {
  const reduced = new Set(
    (axes ?? shape.map((_, axis) => axis)).map((axis) => (axis < 0 ? axis + shape.length : axis)),
  );
  if (keepDimensions) return shape.map((size, axis) => (reduced.has(axis) ? 1 : size));
  return shape.filter((_, axis) => !reduced.has(axis));
}

/**
 * The shape that Reshape gives: in `to`, one -1 takes what is left, and 0 keeps the dimension of `from` unless a size of 0 is meant. Where named dimensions leave it
 * open whether the numbers of elements agree, it is only seen at run time.
 */
export function resolvedShape(from: Shape, to: Shape, keepsZeros = true): Shape {
  const kept = to.map((size, axis) => (size === 0 && keepsZeros ? from[axis] : size));
  const left = [...from];
  const others = kept.filter((size) => size !== -1 && (size === 0 || !removed(left, size)));
  const [count, by] = [productOf(left), productOf(others)];
  if (typeof count === "number" && typeof by === "number") {
    assert(count === by || Number.isInteger(count / by), `[${from}] can be reshaped to [${to}]`);
    assert(kept.includes(-1) || count === by, `[${from}] has as many elements as [${to}]`);
  }
  const rest = quotientOf(count, by);
  return kept.map((size) => (size === -1 ? rest : size));
}

/** Whether two shapes may be the same, as far as their sizes are known. */
export function mayBeEqual(a: Shape, b: Shape): boolean {
  const isOpen = (size: Dimension) => typeof size === "string";
  return a.length === b.length && a.every((size, axis) => size === b[axis] || isOpen(size) || isOpen(b[axis]));
}

/** The number of elements of a shape, NaN where a dimension is only named. */
export function product(shape: Shape): number {
  return shape.reduce<number>((count, size) => (typeof size === "number" ? count * size : Number.NaN), 1);
}

/** The dimension of a shape that is padded with ones at the front to `rank`. */
function aligned(shape: Shape, rank: number, axis: number): Dimension {
  return shape[axis - (rank - shape.length)] ?? 1;
}
