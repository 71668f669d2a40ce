import fc from "fast-check";
import type { GraphBuilder } from "../../../lib/onnx/builder.ts";
import type { Value } from "../../../lib/onnx/graph.ts";
import { type Cases, matrices, two } from "./case.ts";

export const matrixCases: Cases = {
  MatMul: [
    {
      shapes: fc.tuple(two, matrices).map(([[a, b], [n, k, m]]) => [
        [...a, n, k],
        [...b, k, m],
      ]),
      apply: (graph, [a, b]) => graph.matMul(a, b),
    },
  ],
  Gemm: [false, true].flatMap((transposeA) =>
    [false, true].map((transposeB) => ({
      shapes: fc
        .tuple(matrices, fc.constantFrom("scalar", "row", "column", "matrix"))
        .map(([[n, k, m], bias]) => [
          transposeA ? [k, n] : [n, k],
          transposeB ? [m, k] : [k, m],
          { scalar: [], row: [m], column: [n, 1], matrix: [n, m] }[bias],
        ]),
      apply: (graph: GraphBuilder, [a, b, c]: readonly Value[]) => graph.gemm(a, b, c, { transposeA, transposeB }),
    })),
  ),
};
