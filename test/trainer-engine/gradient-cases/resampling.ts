import fc from "fast-check";
import { ints, string } from "../../../lib/onnx/attributes.ts";
import type { Case, Cases } from "./case.ts";

const size = fc.integer({ min: 2, max: 4 });
const plane = fc.tuple(size, size).map((shape) => [shape]);
const images = fc.tuple(size, size, size, size).map((shape) => [shape]);

const pads: readonly (readonly number[])[] = [
  [1, 0, 0, 1],
  [0, 1, 1, 1],
  [-1, 0, 0, 1],
];

export const resamplingCases: Cases = {
  Pad: [
    ...["constant", "reflect", "edge", "wrap"].flatMap((mode) => pads.map((sizes) => padded(mode, sizes))),
    { shapes: plane, apply: (graph, [x]) => graph.node("Pad", [x, graph.sizes([2, 1]), undefined, graph.sizes([-1])]) },
    {
      shapes: plane.map(([shape]) => [shape, []]),
      apply: (graph, [x, value]) => graph.node("Pad", [x, graph.sizes([1, 0, -1, 2]), value]),
    },
  ],
  Resize: [
    resized("asymmetric", "floor", [1, 1, 2, 3]),
    resized("half_pixel", "round_prefer_floor", [1, 1, 3, 4]),
    resized("half_pixel", "round_prefer_ceil", [1, 1, 2, 1]),
    resized("asymmetric", "ceil", [1, 1, 1.5, 2]),
    resized("align_corners", "floor", [2, 1, 2, 0.7]),
    resized("pytorch_half_pixel", "round_prefer_floor", [1, 1, 0.5, 1.3]),
    resized("half_pixel_symmetric", "round_prefer_ceil", [1, 2, 1, 1.6]),
    {
      shapes: images,
      dataType: "FP32",
      apply: (graph, [x]) => {
        const scales = graph.constant("FP32", [2], [2, 2]);
        return graph.node("Resize", [x, undefined, scales], { axes: ints([-2, 3]), mode: string("nearest") });
      },
    },
    {
      shapes: images,
      sized: true,
      dataType: "FP32",
      apply: (graph, [x]) => {
        const [rows, channels, height, width] = x.shape.map(Number);
        return graph.node("Resize", [x, undefined, undefined, graph.sizes([rows, channels, 2 * height, 3 * width])]);
      },
    },
  ],
};

function padded(mode: string, sizes: readonly number[]): Case {
  return {
    shapes: plane,
    apply: (graph, [x]) => graph.node("Pad", [x, graph.sizes(sizes)], { mode: string(mode) }),
  };
}

function resized(coordinates: string, rounding: string, scales: readonly number[]): Case {
  const attributes = { coordinate_transformation_mode: string(coordinates), nearest_mode: string(rounding) };
  return {
    shapes: images,
    dataType: "FP32",
    apply: (graph, [x]) => graph.node("Resize", [x, undefined, graph.constant("FP32", [4], scales)], attributes),
  };
}
