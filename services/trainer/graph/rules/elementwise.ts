import type { GraphBuilder } from "../../../../lib/onnx/builder.ts";
import type { Value } from "../../../../lib/onnx/graph.ts";
import type { elementwiseOperators } from "../../../../lib/onnx/operators/elementwise.ts";
import type { Rules } from "./rule.ts";

/** Rules of operators that work on each element by itself. */
export const elementwiseRules = {
  Add: ({ dy }) => [() => dy, () => dy],
  Sub: ({ graph, dy }) => [() => dy, () => graph.neg(dy)],
  Mul: ({ graph, inputs: [a, b], dy }) => [() => graph.mul(dy, b), () => graph.mul(dy, a)],
  Div: ({ graph, inputs: [, b], output, dy }) => [
    () => graph.div(dy, b),
    () => graph.neg(graph.mul(dy, graph.div(output, b))),
  ],
  Pow: ({ graph, inputs: [base, exponent], output, dy }) => [
    () => graph.mul(dy, graph.mul(exponent, graph.pow(base, graph.sub(exponent, like(graph, 1, exponent))))),
    () => graph.mul(dy, graph.mul(output, graph.log(base))),
  ],
  Neg: ({ graph, dy }) => [() => graph.neg(dy)],
  Exp: ({ graph, output, dy }) => [() => graph.mul(dy, output)],
  Log: ({ graph, inputs: [x], dy }) => [() => graph.div(dy, x)],
  Sqrt: ({ graph, output, dy }) => [() => graph.div(graph.mul(dy, like(graph, 0.5, dy)), output)],
  Relu: ({ graph, output, dy }) => [
    () => graph.where(graph.greater(output, like(graph, 0, dy)), dy, like(graph, 0, dy)),
  ],
  Tanh: ({ graph, output, dy }) => [() => graph.mul(dy, graph.sub(like(graph, 1, dy), graph.mul(output, output)))],
  Sigmoid: ({ graph, output, dy }) => [() => graph.mul(dy, graph.mul(output, graph.sub(like(graph, 1, dy), output)))],
  Identity: ({ dy }) => [() => dy],
  Equal: undefined,
  Greater: undefined,
  Where: ({ graph, inputs: [condition], dy }) => [
    undefined,
    () => graph.where(condition, dy, like(graph, 0, dy)),
    () => graph.where(condition, like(graph, 0, dy), dy),
  ],
  Cast: ({ graph, inputs: [x], dy }) => [() => graph.cast(dy, x.dataType)],
} as const satisfies Rules<typeof elementwiseOperators>;

function like(graph: GraphBuilder, number: number, { dataType }: Value): Value {
  return graph.scalar(number, dataType);
}
