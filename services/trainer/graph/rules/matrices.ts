import { string } from "../../../../lib/onnx/attributes.ts";
import type { GraphBuilder } from "../../../../lib/onnx/builder.ts";
import { type EinsumEquation, einsumEquation } from "../../../../lib/onnx/einsum-equation.ts";
import type { Attributes, Value } from "../../../../lib/onnx/graph.ts";
import { stringOf } from "../../../../lib/onnx/operators/inference.ts";
import type { matrixOperators } from "../../../../lib/onnx/operators/matrices.ts";
import type { Derivation, Rules } from "./rule.ts";

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
  Einsum: (derivation) => {
    const { inputs, attributes, refusal } = derivation;
    const written = stringOf(attributes, "equation", "");
    const equation = einsumEquation(
      written,
      inputs.map(({ shape }) => shape),
    );
    if (inputs.length > 2) throw refusal("equation", written, "at most two operands");
    if (equation.terms.some((term) => new Set(term).size < term.length)) {
      throw refusal("equation", written, "operands whose axes are all different");
    }
    return inputs.map((_, index) => () => throughEinsum(derivation, equation, index));
  },
} as const satisfies Rules<typeof matrixOperators>;

/** The sum of the gradient times the other operand, over all axes that this one has not; repeated along those that it alone has. */
function throughEinsum(
  { graph, inputs, dy }: Derivation,
  { terms, result, sizes }: EinsumEquation,
  index: number,
): Value {
  const [x, term] = [inputs[index], terms[index]];
  const others = inputs.toSpliced(index, 1);
  const otherTerms = terms.toSpliced(index, 1);
  const isOwn = (letter: string, axis: number) => x.shape[axis] === 1 && sizes.get(letter) !== 1;
  const reached = (letter: string) => [result, ...otherTerms].some((axes) => axes.includes(letter));
  const kept = [...term].filter((letter, axis) => !isOwn(letter, axis) && reached(letter));
  const equation = `${[result, ...otherTerms].join()}->${kept.join("")}`;
  const summed = graph.node("Einsum", [dy, ...others], { equation: string(equation) });
  const missing = [...term].flatMap((letter, axis) => (kept.includes(letter) ? [] : [axis]));
  return graph.expand(missing.length > 0 ? graph.unsqueeze(summed, missing) : summed, graph.shapeOf(x));
}

/** A stack of matrices with each one transposed. */
function turned(graph: GraphBuilder, x: Value): Value {
  const axes = x.shape.map((_, axis) => axis);
  const [row, column] = axes.slice(-2);
  return graph.transpose(x, [...axes.slice(0, -2), column, row]);
}

function isSet(attributes: Attributes, name: string): boolean {
  return attributes[name]?.value === 1;
}
