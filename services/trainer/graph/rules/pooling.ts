import { int } from "../../../../lib/onnx/attributes.ts";
import type { GraphBuilder } from "../../../../lib/onnx/builder.ts";
import type { Value } from "../../../../lib/onnx/graph.ts";
import type { poolingOperators } from "../../../../lib/onnx/operators/pooling.ts";
import { kernelOf, type Window, windowsOf } from "../../../../lib/onnx/operators/windows.ts";
import { product } from "../../../../lib/onnx/shapes.ts";
import { geometry, transposed } from "./convolutions.ts";
import { addedAt } from "./places.ts";
import { shareOf } from "./reductions.ts";
import type { Derivation, Rules } from "./rule.ts";

/** Rules of operators that make one element of all those under a window. The first of equal maxima gets the gradient, as in PyTorch. */
export const poolingRules = {
  MaxPool: ({ graph, inputs: [x], attributes: { storage_order: order, ...others }, outputs, dy }) => [
    () => {
      // Places that count column by column are found again, row by row.
      const given = order === undefined || order.value === 0 ? outputs[1] : undefined;
      return addedAt(graph, x, given ?? graph.many("MaxPool", [x], others)[1], dy);
    },
  ],
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
