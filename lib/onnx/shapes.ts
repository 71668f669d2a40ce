import { assert } from "../errors.ts";
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

/** The shape that Reshape gives: in `to`, 0 keeps the dimension of `from` and one -1 takes what is left. */
export function resolvedShape(from: Shape, to: Shape): Shape {
  const kept = to.map((size, axis) => (size === 0 ? from[axis] : size));
  const left = [...from];
  const others = kept.filter((size) => size !== -1 && !removed(left, size));
  const rest = product(left) / product(others);
  assert(!Number.isNaN(rest) && Number.isInteger(rest), `[${from}] can be reshaped to [${to}]`);
  assert(kept.includes(-1) || rest === 1, `[${from}] has as many elements as [${to}]`);
  return kept.map((size) => (size === -1 ? rest : size));
}

/** The number of elements of a shape, NaN where a dimension is only named. */
export function product(shape: Shape): number {
  return shape.reduce<number>((count, size) => (typeof size === "number" ? count * size : Number.NaN), 1);
}

/** The dimension of a shape that is padded with ones at the front to `rank`. */
function aligned(shape: Shape, rank: number, axis: number): Dimension {
  return shape[axis - (rank - shape.length)] ?? 1;
}

/** Takes the first dimension equal to `size` out of `shape`; whether there was one. */
function removed(shape: Dimension[], size: Dimension): boolean {
  const index = shape.indexOf(size);
  if (index >= 0) shape.splice(index, 1);
  return index >= 0;
}
