import { int, string } from "../../../../lib/onnx/attributes.ts";
import type { GraphBuilder } from "../../../../lib/onnx/builder.ts";
import { type EinsumEquation, einsumEquation } from "../../../../lib/onnx/einsum-equation.ts";
import type { Attributes, Value } from "../../../../lib/onnx/graph.ts";
import { floatOf, intsOf, stringOf } from "../../../../lib/onnx/operators/inference.ts";
import type { matrixOperators } from "../../../../lib/onnx/operators/matrices.ts";
import { type Derivation, like, type Rules } from "./rule.ts";

/** Rules of products of matrices. */
export const matrixRules = {
  /** A vector is a matrix of one row on the left, and of one column on the right. */
  MatMul: ({ graph, inputs: [a, b], dy }) => {
    const [isRow, isColumn] = [a.shape.length === 1, b.shape.length === 1];
    const [left, right] = [isRow ? graph.unsqueeze(a, [0]) : a, isColumn ? graph.unsqueeze(b, [1]) : b];
    const added = [...(isRow ? [isColumn ? -1 : -2] : []), ...(isColumn ? [isRow ? -2 : -1] : [])];
    const slope = added.length > 0 ? graph.unsqueeze(dy, added) : dy;
    const dropped = (value: Value, axis: number) => graph.node("Squeeze", [value, graph.sizes([axis])]);
    return [
      () => {
        const product = graph.matMul(slope, turned(graph, right));
        return isRow ? dropped(product, -2) : product;
      },
      () => {
        const product = graph.matMul(turned(graph, left), slope);
        return isColumn ? dropped(product, -1) : product;
      },
    ];
  },
  /** Of `alpha · a · b + beta · c`. */
  Gemm: ({ graph, inputs: [a, b], attributes, dy }) => {
    const [turnA, turnB] = [isSet(attributes, "transA"), isSet(attributes, "transB")];
    const beta = floatOf(attributes, "beta", 1);
    const product = (left: Value, right: Value, transposeLeft: boolean, transposeRight: boolean) =>
      graph.node("Gemm", [left, right], {
        ...(attributes.alpha && { alpha: attributes.alpha }),
        transA: int(transposeLeft ? 1 : 0),
        transB: int(transposeRight ? 1 : 0),
      });
    return [
      () => (turnA ? product(b, dy, turnB, true) : product(dy, b, false, !turnB)),
      () => (turnB ? product(dy, a, true, turnA) : product(a, dy, !turnA, false)),
      () => (beta === 1 ? dy : graph.mul(dy, like(graph, beta, dy))),
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

/** A stack of matrices with each one transposed; what was transposed already as it was before. */
function turned(graph: GraphBuilder, x: Value): Value {
  return beforeTurn(x) ?? graph.transpose(x, turning(x.shape.length));
}

/** Whether two stacks of matrices are each other's, with each matrix transposed. */
export function areTurned(a: Value, b: Value): boolean {
  return beforeTurn(a) === b || beforeTurn(b) === a;
}

/** What was transposed, matrix by matrix; undefined where nothing was. */
function beforeTurn({ producer, shape }: Value): Value | undefined {
  const isTurned =
    producer?.operator === "Transpose" && `${intsOf(producer.attributes, "perm")}` === `${turning(shape.length)}`;
  return isTurned ? producer.inputs[0] : undefined;
}

/**
 * A value with its axes in another order. What transposes the matrices that a product gave is instead the product of both transposed, the
 * other way round: the runtime takes operands of products transposed as fast as it takes them as they are.
 */
export function arranged(graph: GraphBuilder, x: Value, perm: readonly number[]): Value {
  const { producer } = x;
  const isProduct = producer?.operator === "MatMul" && producer.inputs.every(({ shape }) => shape.length > 1);
  if (!isProduct || `${perm}` !== `${turning(perm.length)}`) return graph.transpose(x, perm);
  const [left, right] = producer.inputs;
  return graph.matMul(turned(graph, right), turned(graph, left));
}

/** The order of axes in which the last two have changed places. */
function turning(rank: number): readonly number[] {
  return [...Array(rank - 2).keys(), rank - 1, rank - 2];
}

function isSet(attributes: Attributes, name: string): boolean {
  return attributes[name]?.value === 1;
}
