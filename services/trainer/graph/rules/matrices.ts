import type { GraphBuilder } from "../../../../lib/onnx/builder.ts";
import type { Attributes, Value } from "../../../../lib/onnx/graph.ts";
import type { matrixOperators } from "../../../../lib/onnx/operators/matrices.ts";
import type { Rules } from "./rule.ts";

/** Rules of products of matrices. */
export const matrixRules = {
  MatMul: ({ graph, inputs: [a, b], dy }) => [
    () => graph.matMul(dy, turned(graph, b)),
    () => graph.matMul(turned(graph, a), dy),
  ],
  Gemm: ({ graph, inputs: [a, b], attributes, dy }) => {
    const [turnA, turnB] = [isSet(attributes, "transA"), isSet(attributes, "transB")];
    return [
      () =>
        turnA
          ? graph.gemm(b, dy, undefined, { transposeA: turnB, transposeB: true })
          : graph.gemm(dy, b, undefined, { transposeB: !turnB }),
      () =>
        turnB
          ? graph.gemm(dy, a, undefined, { transposeA: true, transposeB: turnA })
          : graph.gemm(a, dy, undefined, { transposeA: !turnA }),
      () => dy,
    ];
  },
} as const satisfies Rules<typeof matrixOperators>;

/** A stack of matrices with each one transposed. */
function turned(graph: GraphBuilder, x: Value): Value {
  const axes = x.shape.map((_, axis) => axis);
  const [row, column] = axes.slice(-2);
  return graph.transpose(x, [...axes.slice(0, -2), column, row]);
}

function isSet(attributes: Attributes, name: string): boolean {
  return attributes[name]?.value === 1;
}
