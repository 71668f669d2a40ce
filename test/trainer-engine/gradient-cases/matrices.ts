import fc from "fast-check";
import { float, int, string } from "../../../lib/onnx/attributes.ts";
import { type Case, type Cases, matrices, type Shape, twoWithElements } from "./case.ts";

export const matrixCases: Cases = {
  MatMul: [
    {
      shapes: fc.tuple(twoWithElements, matrices).map(([[a, b], [n, k, m]]) => [
        [...a, n, k],
        [...b, k, m],
      ]),
      apply: (graph, [a, b]) => graph.matMul(a, b),
    },
    vectors((n) => [[n], [n]]),
    vectors((n) => [[n], [2, n, 3]]),
    vectors((n) => [[2, 3, n], [n]]),
  ],
  Gemm: [false, true].flatMap((transposeA) =>
    [false, true].map(
      (transposeB): Case => ({
        shapes: fc
          .tuple(matrices, fc.constantFrom("scalar", "row", "column", "matrix"))
          .map(([[n, k, m], bias]) => [
            transposeA ? [k, n] : [n, k],
            transposeB ? [m, k] : [k, m],
            { scalar: [], row: [m], column: [n, 1], matrix: [n, m] }[bias],
          ]),
        apply: (graph, [a, b, c]) => {
          const turns = { transA: int(Number(transposeA)), transB: int(Number(transposeB)) };
          return graph.node("Gemm", [a, b, c], { ...turns, alpha: float(0.5), beta: float(-1.5) });
        },
      }),
    ),
  ),
  Einsum: [
    product("ij,jk->ik", ([n, k, m]) => [
      [n, k],
      [k, m],
    ]),
    product("bij, bjk", ([n, k, m]) => [
      [2, n, k],
      [2, k, m],
    ]),
    product("...ij,...jk->...ik", ([n, k, m]) => [
      [1, n, k],
      [2, k, m],
    ]),
    product("i...,ji->...j", ([n, k, m]) => [
      [n, k, 2],
      [m, n],
    ]),
    product("i,j->ij", ([n, k]) => [[n], [k]]),
    product("ia,ib->i", ([n, k, m]) => [
      [n, k],
      [n, m],
    ]),
    product("ij,ij->", ([n, k]) => [
      [n, k],
      [n, k],
    ]),
    product("bnqd,bnkd->bnqk", ([n, k, m]) => [
      [2, 2, n, k],
      [2, 2, m, k],
    ]),
    product("ij->j", ([n, k]) => [[n, k]]),
    product("ijk->kj", ([n, k, m]) => [[n, k, m]]),
  ],
};

function vectors(shapesOf: (size: number) => readonly Shape[]): Case {
  return {
    shapes: fc.integer({ min: 1, max: 4 }).map(shapesOf),
    apply: (graph, [a, b]) => graph.matMul(a, b),
  };
}

function product(equation: string, shapesOf: (sizes: readonly [number, number, number]) => readonly Shape[]): Case {
  return {
    shapes: matrices.map(shapesOf),
    apply: (graph, operands) => graph.node("Einsum", operands, { equation: string(equation) }),
  };
}
