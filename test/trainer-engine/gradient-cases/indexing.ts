import fc from "fast-check";
import { int, string } from "../../../lib/onnx/attributes.ts";
import type { Attributes } from "../../../lib/onnx/graph.ts";
import { type Case, type Cases, stacked } from "./case.ts";

/** Slices of tensors [_, 5, _, 4]: starts, ends, axes and steps. */
const sliced = (...numbers: readonly (readonly number[])[]): Case => ({
  shapes: fc.tuple(fc.integer({ min: 1, max: 2 }), fc.integer({ min: 1, max: 2 })).map(([a, b]) => [[a, 5, b, 4]]),
  apply: (graph, [x]) => graph.node("Slice", [x, ...numbers.map(graph.sizes)]),
});
const gathered = (indices: readonly number[], shape: readonly number[], axis: number): Case => ({
  shapes: stacked.map(([rest]) => [axis === 0 ? [3, ...rest] : [...rest, 3]]),
  apply: (graph, [x]) => graph.gather(x, graph.constant("INT64", shape, indices), axis),
});
const gatheredElements = (indices: readonly number[], shape: readonly number[], attributes: Attributes): Case => ({
  shapes: fc.constant([[3, 2]]),
  apply: (graph, [x]) => graph.node("GatherElements", [x, graph.constant("INT64", shape, indices)], attributes),
});
const gatheredTuples = (indices: readonly number[], shape: readonly number[], attributes: Attributes = {}): Case => ({
  shapes: stacked.map(([rest]) => [[2, 3, ...rest]]),
  apply: (graph, [x]) => graph.node("GatherND", [x, graph.constant("INT64", shape, indices)], attributes),
});
/** Without `reduction` indices must be different. */
const scattered = (indices: readonly number[], shape: readonly number[], attributes: Attributes): Case => ({
  shapes: fc.constant([[3, 2], shape]),
  sized: true,
  apply: (graph, [x, updates]) =>
    graph.node("ScatterElements", [x, graph.constant("INT64", shape, indices), updates], attributes),
});
const scatteredTuples = (indices: readonly number[], shape: readonly number[], attributes: Attributes): Case => ({
  shapes: stacked.map(([rest]) => [
    [2, 3, ...rest],
    [...shape.slice(0, -1), ...[2, 3].slice(shape.at(-1)), ...rest],
  ]),
  apply: (graph, [x, updates]) =>
    graph.node("ScatterND", [x, graph.constant("INT64", shape, indices), updates], attributes),
});
const triangle = (diagonal: number | undefined, attributes: Attributes = {}): Case => ({
  shapes: stacked.map(([shape]) => [[...shape, 3]]),
  apply: (graph, [x]) =>
    graph.node("Trilu", diagonal === undefined ? [x] : [x, graph.scalar(diagonal, "INT64")], attributes),
});
const [adding, assigning] = [{ reduction: string("add") }, { reduction: string("none") }];

export const indexingCases: Cases = {
  Slice: [
    sliced([0], [2]),
    sliced([1, 1], [4, 3], [1, 3]),
    sliced([-3, 0], [1000, -1], [1, -1], [2, 1]),
    sliced([-1, 3], [-1000, 0], [1, 3], [-2, -1]),
    sliced([4], [1], [1], [1]),
    sliced([-1000, -2], [-3, 1000], [3, 1], [1, 1]),
  ],
  Gather: [
    gathered([2], [], 0),
    gathered([0, 2, 0, -1], [2, 2], 0),
    gathered([1, 1], [2], -1),
    gathered([], [0], 0),
    { shapes: stacked, apply: (graph, [x]) => graph.gather(x, graph.scalar(0, "INT32")) },
  ],
  GatherElements: [
    gatheredElements([0, 1, 2, -1], [2, 2], {}),
    gatheredElements([0, 1, 0, 1, 1, 1], [3, 2], { axis: int(1) }),
    gatheredElements([0, 0, -2], [3, 1], { axis: int(-1) }),
  ],
  GatherND: [
    gatheredTuples([0, 2, 1, 1, 0, 2], [3, 2]),
    gatheredTuples([1, 0, -1], [3, 1]),
    gatheredTuples([2, 0], [2, 1], { batch_dims: int(1) }),
  ],
  ScatterElements: [
    scattered([2, 0], [1, 2], {}),
    scattered([1, 0, 1, -2], [2, 2], { axis: int(1), ...assigning }),
    scattered([1, 1, 1, -2], [2, 2], adding),
    scattered([1, 1, 1, 0, 0, 0], [3, 2], { axis: int(-1), ...adding }),
  ],
  ScatterND: [
    scatteredTuples([0, 2, 1, 1], [2, 2], {}),
    scatteredTuples([1], [1, 1], assigning),
    scatteredTuples([0, 2, 1, 1, 0, 2], [3, 2], adding),
  ],
  Trilu: [triangle(undefined), triangle(1), triangle(-1, { upper: int(0) }), triangle(0, { upper: int(0) })],
};
