import fc from "fast-check";
import { int } from "../../../lib/onnx/attributes.ts";
import type { GraphBuilder } from "../../../lib/onnx/builder.ts";
import type { Attributes, Value } from "../../../lib/onnx/graph.ts";
import { type Case, type Cases, one, stacked, stackedOrEmpty } from "./case.ts";

/** Takes the parts of a split at both ends, so that some pass no gradient on. */
const ends = (graph: GraphBuilder, parts: readonly Value[], axis: number) =>
  graph.concat([parts[parts.length - 1], graph.exp(parts[0])], axis);
const squeezed = (axes?: readonly number[]): Case => ({
  shapes: stackedOrEmpty.map(([shape]) => [[1, ...shape, 1]]),
  sized: axes === undefined ? true : undefined,
  apply: (graph, [x]) => graph.node("Squeeze", axes === undefined ? [x] : [x, graph.sizes(axes)]),
});
/** Tensors that differ only along an axis. */
const joined = (axis: number): Case => ({
  shapes: fc
    .tuple(stacked, fc.array(fc.integer({ min: 0, max: 3 }), { minLength: 1, maxLength: 4 }))
    .map(([[shape], sizes]) => sizes.map((size) => shape.with(axis, size))),
  sized: "rows",
  apply: (graph, inputs) => graph.concat(inputs, axis),
});
const flattened = (attributes: Attributes, rank: number): Case => ({
  shapes: fc.array(fc.integer({ min: 0, max: 3 }), { minLength: rank, maxLength: 3 }).map((shape) => [shape]),
  apply: (graph, [x]) => graph.node("Flatten", [x], attributes),
});

export const arrangementCases: Cases = {
  Reshape: [
    { shapes: stacked, sized: true, apply: (graph, [x]) => graph.reshape(x, graph.sizes([-1, Number(x.shape[0])])) },
    { shapes: stackedOrEmpty, apply: (graph, [x]) => graph.reshape(x, graph.sizes([-1])) },
    { shapes: stacked, apply: (graph, [x]) => graph.reshape(x, graph.sizes([0, -1])) },
  ],
  Flatten: [flattened({}, 1), ...[0, 1, 2, -1, -2].map((axis) => flattened({ axis: int(axis) }, Math.abs(axis)))],
  Expand: [
    { shapes: one, sized: true, apply: (graph, [x]) => graph.expand(x, graph.sizes([2, ...x.shape.map(Number)])) },
    {
      shapes: stacked.map(([shape]) => [[...shape, 1]]),
      apply: (graph, [x]) => graph.expand(x, graph.sizes([3])),
    },
    { shapes: fc.constant([[2, 1]]), apply: (graph, [x]) => graph.expand(x, graph.sizes([0])) },
  ],
  Unsqueeze: [
    { shapes: one, apply: (graph, [x]) => graph.unsqueeze(x, [0]) },
    { shapes: stackedOrEmpty, apply: (graph, [x]) => graph.unsqueeze(x, [-1, 0]) },
  ],
  Squeeze: [squeezed(), squeezed([0]), squeezed([-1, 0])],
  Transpose: [
    {
      shapes: stackedOrEmpty,
      apply: (graph, [x]) => {
        const axes = x.shape.map((_, axis) => axis);
        return graph.transpose(x, [...axes.slice(1), 0]);
      },
    },
    { shapes: one, apply: (graph, [x]) => graph.node("Transpose", [x]) },
  ],
  Tile: [1, 2, 0].map((last) => ({
    shapes: stackedOrEmpty,
    apply: (graph, [x]) => graph.node("Tile", [x, graph.sizes(x.shape.map((_, axis) => (axis === 0 ? 3 : last)))]),
  })),
  Concat: [joined(0), joined(-1)],
  Split: [
    {
      shapes: stacked.map(([shape]) => [[5, ...shape]]),
      apply: (graph, [x]) => ends(graph, graph.split(x, graph.sizes([2, 0, 1, 2]), 0), 0),
    },
    {
      shapes: stacked.map(([shape]) => [[...shape, 5]]),
      sized: true,
      apply: (graph, [x]) => ends(graph, graph.many("Split", [x], { axis: int(-1), num_outputs: int(3) }), -1),
    },
    { shapes: stacked, apply: (graph, [x]) => ends(graph, graph.many("Split", [x], { num_outputs: int(1) }), 0) },
  ],
};
