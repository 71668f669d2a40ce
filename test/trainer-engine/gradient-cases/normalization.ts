import fc from "fast-check";
import { float, int } from "../../../lib/onnx/attributes.ts";
import type { GraphBuilder } from "../../../lib/onnx/builder.ts";
import type { Value } from "../../../lib/onnx/graph.ts";
import type { Case, Cases, Shape } from "./case.ts";

const size = fc.integer({ min: 2, max: 3 });
/** At least two elements along each axis that is normalised: one alone has no deviation. */
const images = fc.tuple(size, fc.constantFrom(2, 4), fc.array(size, { minLength: 1, maxLength: 2 }));
const perChannel = (count: number) =>
  images.map(([rows, channels, spatial]): readonly Shape[] => [
    [rows, channels, ...spatial],
    ...Array(count).fill([channels]),
  ]);
const layers = (axis: number, count: number) =>
  fc
    .array(size, { minLength: Math.abs(axis) + 1, maxLength: 3 })
    .map((shape): readonly Shape[] => [shape, ...Array(count).fill(shape.slice(axis))]);

export const normalizationCases: Cases = {
  BatchNormalization: [
    ...[0, 0.8].map(
      (momentum): Case => ({
        shapes: perChannel(2),
        sized: "batch",
        apply: (graph, [x, scale, bias]) => {
          // The runtime writes over them.
          const running = [graph.neg(scale), graph.neg(bias)];
          const attributes = { training_mode: int(1), momentum: float(momentum), epsilon: float(0.1) };
          return graph.many("BatchNormalization", [x, scale, bias, ...running], attributes)[0];
        },
      }),
    ),
    {
      shapes: perChannel(4),
      range: [0.5, 2],
      sized: "batch",
      apply: (graph, inputs) => graph.node("BatchNormalization", inputs),
    },
  ],
  LayerNormalization: [-1, -2].flatMap((axis): readonly Case[] => [
    {
      shapes: layers(axis, 2),
      // The runtime gives mean and deviation in single precision.
      tolerance: 1e-5,
      apply: (graph, inputs) => graph.many("LayerNormalization", inputs, { axis: int(axis), epsilon: float(0.1) })[0],
    },
    {
      shapes: layers(axis, 1),
      apply: (graph, inputs) => graph.node("LayerNormalization", inputs, { axis: int(axis), epsilon: float(0.1) }),
    },
  ]),
  RMSNormalization: [-1, -2].map((axis) => ({
    shapes: layers(axis, 1),
    apply: (graph, inputs) => graph.node("RMSNormalization", inputs, { axis: int(axis), epsilon: float(0.1) }),
  })),
  GroupNormalization: [1, 2].map((groups) => ({
    shapes: perChannel(2),
    sized: "batch",
    apply: (graph, inputs) =>
      graph.node("GroupNormalization", inputs, { num_groups: int(groups), epsilon: float(0.1) }),
    composed: (graph, inputs) => normalizedByGroups(graph, inputs, groups),
  })),
  InstanceNormalization: [
    {
      shapes: perChannel(2),
      sized: "batch",
      apply: (graph, inputs) => graph.node("InstanceNormalization", inputs, { epsilon: float(0.1) }),
      composed: (graph, inputs) => normalizedByGroups(graph, inputs, Number(inputs[0].shape[1])),
    },
  ],
};

/** Group normalisation (Wu and He 2018) out of element-wise operators: the runtime has its own in single precision only. */
function normalizedByGroups(graph: GraphBuilder, [x, scale, bias]: readonly Value[], groups: number): Value {
  const grouped = graph.reshape(x, graph.sizes([0, groups, -1]));
  const centred = graph.sub(grouped, graph.reduceMean(grouped, [2], true));
  const variance = graph.reduceMean(graph.mul(centred, centred), [2], true);
  const hat = graph.div(centred, graph.sqrt(graph.add(variance, graph.scalar(0.1, "FP64"))));
  const axes = x.shape.slice(2).map((_, index) => index + 1);
  const scaled = graph.mul(graph.shaped(hat, graph.shapeOf(x)), graph.unsqueeze(scale, axes));
  return graph.add(scaled, graph.unsqueeze(bias, axes));
}
