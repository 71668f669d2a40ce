import { assert } from "../../errors.ts";
import { einsumEquation } from "../einsum-equation.ts";
import type { Dimension, Shape } from "../graph.ts";
import { broadcastShape } from "../shapes.ts";
import { commonType, type Inference, intOf, one, stringOf } from "./inference.ts";

/** Products of matrices. */
export const matrixOperators = {
  MatMul: one(([a, b]) => ({ dataType: commonType([a, b]), shape: productShape(a.shape, b.shape) })),
  Gemm: one(([a, b, c], attributes) => {
    const turned = (shape: Shape, flag: string) => (intOf(attributes, flag, 0) === 1 ? shape.toReversed() : shape);
    assert(a.shape.length === 2 && b.shape.length === 2, `Gemm multiplies matrices, not [${a.shape}] and [${b.shape}]`);
    const shape = productShape(turned(a.shape, "transA"), turned(b.shape, "transB"));
    assert(
      c === undefined || `${broadcastShape(shape, c.shape)}` === `${shape}`,
      `what is added, [${c?.shape}], broadcasts to [${shape}]`,
    );
    return { dataType: commonType([a, b, c]), shape };
  }),
  Einsum: one((operands, attributes) => {
    const shapes = operands.map(({ shape }) => shape);
    const { result, sizes } = einsumEquation(stringOf(attributes, "equation", ""), shapes);
    return { dataType: commonType(operands), shape: [...result].map((letter) => sizes.get(letter) as Dimension) };
  }),
} as const satisfies Record<string, Inference>;

/** A vector is a row on the left and a column on the right, and its axis of 1 is not in the product. */
function productShape(a: Shape, b: Shape): Shape {
  assert(a.length >= 1 && b.length >= 1, `[${a}] and [${b}] are vectors, matrices or stacks of matrices`);
  const [inner, outer] = [a.at(-1), b.at(b.length === 1 ? -1 : -2)];
  assert(inner === outer, `the matrices' inner sizes are equal, not ${inner} and ${outer}`);
  const rows = a.length === 1 ? [] : [a.at(-2) as Dimension];
  const columns = b.length === 1 ? [] : [b.at(-1) as Dimension];
  return [...broadcastShape(a.slice(0, -2), b.slice(0, -2)), ...rows, ...columns];
}
