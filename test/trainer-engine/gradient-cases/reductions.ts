import fc from "fast-check";
import { int } from "../../../lib/onnx/attributes.ts";
import type { Attributes, Value } from "../../../lib/onnx/graph.ts";
import type { Operator } from "../../../lib/onnx/operators/operators.ts";
import {
  axesOf,
  type Case,
  type Cases,
  matrices,
  one,
  oneWithElements,
  positive,
  stacked,
  stackedOrEmpty,
} from "./case.ts";

type Options = Pick<Case, "range" | "distinct">;

/** A reduction over all axes, some, dropped or kept, and none. */
const reduction = (operator: Operator, options: Options = {}, all = oneWithElements): readonly Case[] => [
  { ...options, shapes: all, apply: (graph, [x]) => graph.node(operator, [x], { keepdims: int(0) }) },
  { ...options, shapes: all, apply: (graph, [x]) => graph.node(operator, [x]) },
  { ...options, shapes: all, apply: (graph, [x]) => graph.node(operator, [x, graph.sizes([])]) },
  ...[0, 1].map((keepdims) => ({ ...options, ...overAxes(operator, stacked, axesOf, keepdims) })),
  {
    ...options,
    shapes: stacked,
    apply: (graph, [x]) => graph.node(operator, [x, graph.sizes([])], { noop_with_empty_axes: int(1) }),
  },
];
/** One that has a result for no elements too. There the runtime takes axes from the front only. */
const reductionOfAny = (operator: Operator): readonly Case[] => [
  ...reduction(operator, {}, one),
  ...[0, 1].map((keepdims) => overAxes(operator, stackedOrEmpty, () => [0], keepdims)),
];
const overAxes = (
  operator: Operator,
  shapes: Case["shapes"],
  axes: (x: Value) => readonly number[],
  keepdims: number,
): Case => ({
  shapes,
  apply: (graph, [x]) => graph.node(operator, [x, graph.sizes(axes(x))], { keepdims: int(keepdims) }),
});
const cumSum = (attributes: Attributes, axis: number): Case => ({
  shapes: stacked,
  apply: (graph, [x]) => graph.node("CumSum", [x, graph.scalar(axis, "INT64")], attributes),
});

/** Scores of a stack of rows, and values, of which there are more than each has elements, or fewer. */
const attended = fc.tuple(fc.integer({ min: 2, max: 3 }), matrices).map(([count, [rows, places, size]]) => [
  [count, rows, places],
  [count, places, size],
]);

export const reductionCases: Cases = {
  ReduceSum: reductionOfAny("ReduceSum"),
  ReduceMean: reduction("ReduceMean"),
  ReduceMax: reduction("ReduceMax", { distinct: true }),
  ReduceMin: reduction("ReduceMin", { distinct: true }),
  ReduceProd: [
    ...reductionOfAny("ReduceProd"),
    {
      shapes: fc.tuple(fc.integer({ min: 1, max: 3 }), fc.integer({ min: 1, max: 3 })).map((shape) => [shape]),
      apply: (graph, [x]) => graph.node("ReduceProd", [graph.relu(x), graph.sizes([1])]),
    },
  ],
  ReduceL1: reductionOfAny("ReduceL1"),
  ReduceL2: reductionOfAny("ReduceL2"),
  ReduceSumSquare: reductionOfAny("ReduceSumSquare"),
  ReduceLogSum: reduction("ReduceLogSum", { range: positive }),
  ReduceLogSumExp: reduction("ReduceLogSumExp"),
  Softmax: [
    { shapes: stacked, apply: (graph, [x]) => graph.softmax(x) },
    { shapes: stacked, apply: (graph, [x]) => graph.softmax(x, 0) },
    { shapes: attended, apply: (graph, [x, values]) => graph.matMul(graph.softmax(x), values) },
    { shapes: attended, apply: (graph, [x, values]) => graph.matMul(graph.softmax(x, 0), values) },
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
