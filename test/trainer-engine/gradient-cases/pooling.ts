import fc from "fast-check";
import { int, ints, string } from "../../../lib/onnx/attributes.ts";
import type { Attributes } from "../../../lib/onnx/graph.ts";
import type { Operator } from "../../../lib/onnx/operators/operators.ts";
import type { Case, Cases } from "./case.ts";

const windows: readonly Attributes[] = [
  { kernel_shape: ints([2]), strides: ints([2]) },
  { kernel_shape: ints([3]), pads: ints([1, 1]), strides: ints([2]), ceil_mode: int(1) },
  { kernel_shape: ints([2, 2]) },
  { kernel_shape: ints([2, 3]), strides: ints([2, 1]), pads: ints([1, 0, 0, 2]) },
  { kernel_shape: ints([3, 2]), strides: ints([3, 2]), ceil_mode: int(1) },
  { kernel_shape: ints([3, 2]), auto_pad: string("SAME_UPPER"), strides: ints([2, 2]) },
  { kernel_shape: ints([2, 2]), auto_pad: string("SAME_LOWER") },
  { kernel_shape: ints([2, 2]), auto_pad: string("VALID"), strides: ints([1, 2]) },
];
const dilated: readonly Attributes[] = [
  { kernel_shape: ints([2, 2]), dilations: ints([2, 1]), pads: ints([1, 1, 0, 1]) },
];

export const poolingCases: Cases = {
  MaxPool: [...windows, ...dilated].flatMap((attributes) => [
    { ...pooling("MaxPool", attributes), distinct: true, dataType: "FP32" as const },
    {
      ...pooling("MaxPool", attributes),
      distinct: true,
      dataType: "FP32" as const,
      apply: (graph, [x]) => graph.many("MaxPool", [x], { ...attributes, storage_order: int(1) })[0],
    },
    {
      ...pooling("MaxPool", attributes),
      distinct: true,
      dataType: "FP32" as const,
      apply: (graph, [x]) => graph.many("MaxPool", [x], attributes)[0],
    },
  ]),
  AveragePool: [...windows, ...dilated].flatMap((attributes) =>
    [0, 1].map((include) => ({
      ...pooling("AveragePool", { ...attributes, count_include_pad: int(include) }),
      dataType: "FP32" as const,
    })),
  ),
  GlobalMaxPool: [1, 2].map((rank) => ({ ...global("GlobalMaxPool", rank), distinct: true })),
  GlobalAveragePool: [1, 2].map((rank) => global("GlobalAveragePool", rank)),
};

function pooling(operator: Operator, attributes: Attributes): Case {
  const { kernel_shape: kernel } = attributes;
  return {
    shapes: planes(kernel.kind === "ints" ? kernel.value.length : 0, 4),
    sized: "batch",
    apply: (graph, [x]) => graph.node(operator, [x], attributes),
  };
}

function global(operator: Operator, rank: number): Case {
  return { shapes: planes(rank, 1), dataType: "FP32", apply: (graph, [x]) => graph.node(operator, [x]) };
}

function planes(rank: number, sizeMin: number) {
  const spatial = fc.array(fc.integer({ min: sizeMin, max: 6 }), { minLength: rank, maxLength: rank });
  const count = fc.integer({ min: 1, max: 2 });
  return fc.tuple(count, count, spatial).map(([rows, channels, sizes]) => [[rows, channels, ...sizes]]);
}
