import { int } from "../../../lib/onnx/attributes.ts";
import type { GraphBuilder } from "../../../lib/onnx/builder.ts";
import { elementTypes } from "../../../lib/onnx/element-type.ts";
import type { Value } from "../../../lib/onnx/graph.ts";
import type { Operator } from "../../../lib/onnx/operators/operators.ts";
import { anyShape, type Case, type Cases, one, positive, scalar, two } from "./case.ts";

/** A function of one tensor. */
const unary = (operator: Operator, range?: Case["range"]): readonly Case[] => [
  { shapes: one, range, apply: (graph, [x]) => graph.node(operator, [x]) },
];
/** A step function: only what is added to it has a slope. */
const flat = (operator: Operator): readonly Case[] => [
  { shapes: one, range: [0.05, 0.45], apply: (graph, [x]) => graph.add(x, graph.node(operator, [x])) },
];
/** The second and third operand are moved by so little that none of the numbers is equal to another, however they are spread. */
const extremes = (operator: Operator): readonly Case[] => [
  { shapes: one, apply: (graph, [x]) => graph.node(operator, [x]) },
  { shapes: one, apply: (graph, [x]) => graph.node(operator, [x, x]) },
  { shapes: two, distinct: true, apply: (graph, [a, b]) => graph.node(operator, [a, moved(graph, b, 1e-4)]) },
  {
    shapes: two.map(([a, b]) => [a, b, b]),
    distinct: true,
    apply: (graph, [a, b, c]) => graph.node(operator, [a, moved(graph, b, 1e-4), moved(graph, c, 2e-4)]),
  },
];
const moved = (graph: GraphBuilder, x: Value, by: number) => graph.add(x, scalar(graph, by));
/** Bounds, which are drawn as 0, become such that some elements are outside and none is at one. */
const below = (graph: GraphBuilder, bound: Value) => moved(graph, bound, -0.5001);
const above = (graph: GraphBuilder, bound: Value) => moved(graph, bound, 0.5003);
const clipped = (apply: Case["apply"]): Case => ({
  shapes: anyShape.map((shape) => [shape, [], []]),
  distinct: true,
  apply,
});

export const elementwiseCases: Cases = {
  Add: [{ shapes: two, apply: (graph, [a, b]) => graph.add(a, b) }],
  Sub: [{ shapes: two, apply: (graph, [a, b]) => graph.sub(a, b) }],
  Mul: [
    { shapes: two, apply: (graph, [a, b]) => graph.mul(a, b) },
    { shapes: one, apply: (graph, [x]) => graph.mul(x, x) },
  ],
  Div: [{ shapes: two, range: positive, apply: (graph, [a, b]) => graph.div(a, b) }],
  /** Of quotients between 2.3 and 2.9, where it does not jump. */
  Mod: [
    {
      shapes: two,
      range: [1, 1.1],
      apply: (graph, [a, b]) => graph.node("Mod", [graph.mul(a, scalar(graph, 2.6)), b], { fmod: int(1) }),
    },
  ],
  Pow: [
    { shapes: one, apply: (graph, [x]) => graph.pow(x, scalar(graph, 3)) },
    { shapes: one, apply: (graph, [x]) => graph.pow(x, graph.scalar(2, "INT64")) },
    { shapes: one, apply: (graph, [x]) => graph.add(x, graph.pow(x, scalar(graph, 0))) },
    { shapes: two, range: positive, apply: (graph, [a, b]) => graph.pow(a, b) },
  ],
  Neg: unary("Neg"),
  Abs: unary("Abs"),
  Sign: flat("Sign"),
  Reciprocal: unary("Reciprocal", positive),
  Exp: unary("Exp"),
  Log: unary("Log", positive),
  Sqrt: unary("Sqrt", positive),
  Erf: [{ shapes: one, apply: (graph, [x]) => graph.node("Erf", [x]), composed: (graph, [x]) => erf(graph, x) }],
  Sin: unary("Sin"),
  Cos: unary("Cos"),
  Ceil: flat("Ceil"),
  Floor: flat("Floor"),
  Round: flat("Round"),
  Min: extremes("Min"),
  Max: extremes("Max"),
  Clip: [
    clipped((graph, [x, min, max]) => graph.node("Clip", [x, below(graph, min), above(graph, max)])),
    clipped((graph, [x, min, max]) => graph.node("Clip", [x, above(graph, min), below(graph, max)])),
    clipped((graph, [x, min, max]) => graph.add(graph.node("Clip", [x, below(graph, min)]), max)),
    clipped((graph, [x, min, max]) => graph.add(graph.node("Clip", [x, undefined, above(graph, max)]), min)),
    clipped((graph, [x, min, max]) => graph.add(graph.node("Clip", [x]), graph.add(min, max))),
  ],
  Identity: unary("Identity"),
  Where: [
    {
      shapes: two,
      apply: (graph, [a, b]) => graph.where(graph.greater(a, scalar(graph, 0)), a, b),
    },
  ],
  Cast: [{ shapes: one, apply: (graph, [x]) => graph.node("Cast", [x], { to: int(elementTypes.FP64) }) }],
};

/** 2/√π · Σ (−1)ⁿ x²ⁿ⁺¹ / (n! (2n + 1)); 30 terms are exact in double precision up to |x| = 1.5. */
export function erf(graph: GraphBuilder, x: Value): Value {
  const terms = Array.from({ length: 30 }, (_, n) => (n % 2 === 0 ? 1 : -1) / (factorial(n) * (2 * n + 1)));
  const square = graph.mul(x, x);
  const sum = terms.reduceRight(
    (rest, term) => graph.add(graph.mul(rest, square), scalar(graph, term)),
    scalar(graph, 0),
  );
  return graph.mul(graph.mul(x, scalar(graph, 2 / Math.sqrt(Math.PI))), sum);
}

function factorial(n: number): number {
  return n <= 1 ? 1 : n * factorial(n - 1);
}
