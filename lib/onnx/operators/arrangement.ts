import { assert } from "../../errors.ts";
import type { Dimension, Shape } from "../graph.ts";
import { broadcastShape, resolvedShape } from "../shapes.ts";
import { frontAxis, type Inference, intOf, intsOf, one, sizesOf } from "./inference.ts";

/** Operators that only place elements elsewhere, or tell the sizes. */
export const arrangementOperators = {
  Reshape: one(([x, to]) => ({ dataType: x.dataType, shape: resolvedShape(x.shape, sizesOf(to)) })),
  Expand: one(([x, to]) => ({ dataType: x.dataType, shape: broadcastShape(x.shape, sizesOf(to)) })),
  Unsqueeze: one(([x, axes]) => ({ dataType: x.dataType, shape: unsqueezed(x.shape, sizesOf(axes).map(Number)) })),
  Transpose: one(([{ dataType, shape }], attributes) => {
    const perm = intsOf(attributes, "perm");
    assert(perm?.length === shape.length, "a permutation names every axis");
    return { dataType, shape: perm.map((axis) => shape[axis]) };
  }),
  Gather: one(([x, indices], attributes) => {
    const axis = frontAxis(intOf(attributes, "axis", 0), x.shape.length);
    return { dataType: x.dataType, shape: [...x.shape.slice(0, axis), ...indices.shape, ...x.shape.slice(axis + 1)] };
  }),
  Shape: one(([{ shape }]) => ({ dataType: "INT64", shape: [shape.length], sizes: shape })),
  Size: one(() => ({ dataType: "INT64", shape: [] })),
} as const satisfies Record<string, Inference>;

function unsqueezed(shape: Shape, axes: readonly number[]): Shape {
  const rank = shape.length + axes.length;
  const added = new Set(axes.map((axis) => frontAxis(axis, rank)));
  const rest = [...shape];
  return Array.from({ length: rank }, (_, axis) => (added.has(axis) ? 1 : (rest.shift() as Dimension)));
}
