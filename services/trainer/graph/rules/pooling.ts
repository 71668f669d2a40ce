import { int } from "../../../../lib/onnx/attributes.ts";
import type { GraphBuilder } from "../../../../lib/onnx/builder.ts";
import type { Value } from "../../../../lib/onnx/graph.ts";
import type { poolingOperators } from "../../../../lib/onnx/operators/pooling.ts";
import { kernelOf, type Window, windowsOf } from "../../../../lib/onnx/operators/windows.ts";
import { product } from "../../../../lib/onnx/shapes.ts";
import { cut, geometry, tapsOf, transposed } from "./convolutions.ts";
import { shareOf } from "./reductions.ts";
import { type Derivation, like, type Rules } from "./rule.ts";

/** Rules of operators that make one element of all those under a window. The first of equal maxima gets the gradient, as in PyTorch. */
export const poolingRules = {
  MaxPool: (derivation) => [() => toFirstLargest(derivation)],
  AveragePool: (derivation) => [() => spread(derivation)],
  GlobalMaxPool: ({ graph, inputs: [x], dy }) => [
    () => {
      const rows = graph.reshape(x, graph.sizes([0, 0, -1]));
      const places = graph.node("ArgMax", [rows], { axis: int(2), keepdims: int(1) });
      const slopes = graph.reshape(dy, graph.sizes([0, 0, 1]));
      return graph.shaped(graph.scatterAdd(graph.zeros(rows), places, slopes, 2), graph.shapeOf(x));
    },
  ],
  GlobalAveragePool: (derivation) => {
    const { graph, inputs } = derivation;
    const spatial = [...inputs[0].shape.keys()].slice(2);
    return [() => graph.expand(shareOf(derivation, spatial), graph.shapeOf(inputs[0]))];
  },
} as const satisfies Rules<typeof poolingOperators>;

/**
 * Each output's gradient, given to the first element under its window that is as large as it: tap by tap, those of its elements that no
 * earlier one was as large as. All taps are put back at once, each by a kernel of its own that has a one at its place.
 */
function toFirstLargest(derivation: Derivation): Value {
  const { graph, inputs, attributes, output: y, dy } = derivation;
  const [x] = inputs;
  const kernel = kernelOf(attributes, x);
  const windows = windowsOf(attributes, x.shape.slice(2), kernel);
  const met = amongLowest(graph, x, windows);
  const nothing = like(graph, 0, dy);
  let left = dy;
  const slopes = tapsOf(windows).map((tap, index, taps) => {
    const isLargest = graph.equal(cut(graph, met, windows, tap), y);
    const slope = index === taps.length - 1 ? left : graph.where(isLargest, left, nothing);
    if (index < taps.length - 1) left = graph.where(isLargest, nothing, left);
    return graph.unsqueeze(slope, [2]);
  });
  const places = slopes.flatMap((_, index) => slopes.map((__, other) => (index === other ? 1 : 0)));
  const kernels = graph.constant(dy.dataType as "FP32", [slopes.length, 1, ...kernel], places);
  const channels = graph.reshape(
    graph.concat(slopes, 2),
    graph.sizes([-1, slopes.length, ...dy.shape.slice(2).map(Number)]),
  );
  return graph.shaped(
    graph.node("ConvTranspose", [channels, kernels], transposed(derivation, windows, 1)),
    graph.shapeOf(x),
  );
}

/** `x` with padding that is never the largest. */
function amongLowest(graph: GraphBuilder, x: Value, windows: readonly Window[]): Value {
  const [before, after] = [windows.map((window) => window.before), windows.map((window) => window.after)];
  if ([...before, ...after].every((pad) => pad === 0)) return x;
  return graph.node("Pad", [
    x,
    graph.sizes([0, 0, ...before, 0, 0, ...after]),
    like(graph, Number.NEGATIVE_INFINITY, x),
  ]);
}

/** Each output's gradient, shared out over its window: a ConvTranspose of one channel by ones. */
function spread(derivation: Derivation): Value {
  const { graph, inputs, attributes, dy, refusal } = derivation;
  const [x] = inputs;
  const named = x.shape.slice(2).find((size) => typeof size === "string");
  if (named !== undefined) throw refusal("an input of the size", named, "sizes that are known before it runs");
  const kernel = kernelOf(attributes, x);
  const windows = windowsOf(attributes, x.shape.slice(2), kernel);
  const taps = ones(graph, [1, 1, ...kernel]);
  const shares = graph.mul(dy, windowShare(derivation, windows, taps));
  const channels = graph.reshape(shares, graph.sizes([-1, 1, ...dy.shape.slice(2).map(Number)]));
  const spreadOut = graph.node("ConvTranspose", [channels, taps], transposed(derivation, windows, 1));
  return graph.shaped(spreadOut, graph.shapeOf(x));
}

/** What one element of a window counts: what the operator gives for ones, shared out over how many of them are under the window. */
function windowShare({ graph, attributes }: Derivation, windows: readonly Window[], taps: Value): Value {
  if (windows.every(({ before, after }) => before === 0 && after === 0)) {
    return graph.scalar(1 / product(taps.shape), taps.dataType);
  }
  const plane = ones(graph, [1, 1, ...windows.map(({ input }) => Number(input))]);
  return graph.div(
    graph.node("AveragePool", [plane], attributes),
    graph.node("Conv", [plane, taps], geometry(windows, 1)),
  );
}

function ones(graph: GraphBuilder, shape: readonly number[]): Value {
  return graph.expand(graph.scalar(1, "FP32"), graph.sizes(shape));
}
