import { assert } from "../../errors.ts";
import { einsumEquation } from "../einsum-equation.ts";
import type { Dimension, Shape } from "../graph.ts";
import { broadcastShape } from "../shapes.ts";
import { type Inference, intOf, one, stringOf } from "./inference.ts";

/** Products of matrices. */
export const matrixOperators = {
  MatMul: one(([a, b]) => ({ dataType: a.dataType, shape: productShape(a.shape, b.shape) })),
  Gemm: one(([a, b], attributes) => {
    const turned = (shape: Shape, flag: string) => (intOf(attributes, flag, 0) === 1 ? shape.toReversed() : shape);
    assert(a.shape.length === 2 && b.shape.length === 2, "Gemm multiplies matrices");
    return { dataType: a.dataType, shape: productShape(turned(a.shape, "transA"), turned(b.shape, "transB")) };
  }),
  Einsum: one((operands, attributes) => {
    const shapes = operands.map(({ shape }) => shape);
    const { result, sizes } = einsumEquation(stringOf(attributes, "equation", ""), shapes);
    return { dataType: operands[0].dataType, shape: [...result].map((letter) => sizes.get(letter) as Dimension) };
  }),
} as const satisfies Record<string, Inference>;

function productShape(a: Shape, b: Shape): Shape {
  assert(a.length >= 2 && b.length >= 2, "matrix products take at least two dimensions");
  const [inner, outer] = [a.at(-1), b.at(-2)];
  assert(inner === outer, `the matrices' inner sizes are equal, not ${inner} and ${outer}`);
  return [...broadcastShape(a.slice(0, -2), b.slice(0, -2)), a.at(-2) as Dimension, b.at(-1) as Dimension];
}
