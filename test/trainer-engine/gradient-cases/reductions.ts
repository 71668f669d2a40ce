import fc from "fast-check";
import { int } from "../../../lib/onnx/attributes.ts";
import type { Attributes } from "../../../lib/onnx/graph.ts";
import type { Operator } from "../../../lib/onnx/operators/operators.ts";
import { axesOf, type Case, type Cases, one, positive, stacked } from "./case.ts";

/** A reduction over all axes, some, dropped or kept, and none. */
const reduction = (operator: Operator, options: Pick<Case, "range" | "distinct"> = {}): readonly Case[] => [
  { ...options, shapes: one, apply: (graph, [x]) => graph.node(operator, [x], { keepdims: int(0) }) },
  { ...options, shapes: one, apply: (graph, [x]) => graph.node(operator, [x]) },
  { ...options, shapes: one, apply: (graph, [x]) => graph.node(operator, [x, graph.sizes([])]) },
  ...[0, 1].map((keepdims) => ({
    ...options,
    shapes: stacked,
    apply: ((graph, [x]) =>
      graph.node(operator, [x, graph.sizes(axesOf(x))], { keepdims: int(keepdims) })) as Case["apply"],
  })),
  {
    ...options,
    shapes: stacked,
    apply: (graph, [x]) => graph.node(operator, [x, graph.sizes([])], { noop_with_empty_axes: int(1) }),
  },
];
const cumSum = (attributes: Attributes, axis: number): Case => ({
  shapes: stacked,
  apply: (graph, [x]) => graph.node("CumSum", [x, graph.scalar(axis, "INT64")], attributes),
});

export const reductionCases: Cases = {
  ReduceSum: reduction("ReduceSum"),
  ReduceMean: reduction("ReduceMean"),
  ReduceMax: reduction("ReduceMax", { distinct: true }),
  ReduceMin: reduction("ReduceMin", { distinct: true }),
  ReduceProd: [
    ...reduction("ReduceProd"),
    {
      shapes: fc.tuple(fc.integer({ min: 1, max: 3 }), fc.integer({ min: 1, max: 3 })).map((shape) => [shape]),
      apply: (graph, [x]) => graph.node("ReduceProd", [graph.relu(x), graph.sizes([1])]),
    },
  ],
  ReduceL1: reduction("ReduceL1"),
  ReduceL2: reduction("ReduceL2"),
  ReduceSumSquare: reduction("ReduceSumSquare"),
  ReduceLogSum: reduction("ReduceLogSum", { range: positive }),
  ReduceLogSumExp: reduction("ReduceLogSumExp"),
  Softmax: [
    { shapes: stacked, apply: (graph, [x]) => graph.softmax(x) },
    { shapes: stacked, apply: (graph, [x]) => graph.softmax(x, 0) },
  ],
  LogSoftmax: [
    { shapes: stacked, apply: (graph, [x]) => graph.logSoftmax(x) },
    { shapes: stacked, apply: (graph, [x]) => graph.logSoftmax(x, 0) },
  ],
  CumSum: [0, 1].flatMap((exclusive) =>
    [0, 1].flatMap((reverse) =>
      [0, -1].map((axis) => cumSum({ exclusive: int(exclusive), reverse: int(reverse) }, axis)),
    ),
  ),
};
