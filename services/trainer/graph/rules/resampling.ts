import { ints } from "../../../../lib/onnx/attributes.ts";
import { intsOf, stringOf } from "../../../../lib/onnx/operators/inference.ts";
import { axesOf, factorsOf, type resamplingOperators } from "../../../../lib/onnx/operators/resampling.ts";
import { putBack } from "./places.ts";
import { type Derivation, like, type Rules } from "./rule.ts";

/** Rules of operators that add elements at the ends of axes, or between others. */
export const resamplingRules = {
  Pad: (derivation) => {
    const { graph, inputs, attributes, dy, refusal } = derivation;
    const [, pads, , axes] = inputs;
    const mode = stringOf(attributes, "mode", "constant");
    if (mode === "reflect" || mode === "edge") {
      const [rule] = putBack("Pad")({ ...derivation, inputs: [inputs[0], pads, undefined as never, axes] });
      return [rule];
    }
    if (mode !== "constant") throw refusal("mode", mode, "constant, reflect or edge");
    const cropped = () => graph.node("Pad", [dy, graph.neg(pads), undefined, axes]);
    return [cropped, undefined, () => graph.sub(graph.reduceSum(dy), graph.reduceSum(cropped()))];
  },
  /** Each element was repeated: the sum over its copies, which is an average pooling times their number. */
  Resize: (derivation) => {
    const { graph, dy } = derivation;
    const repeats = repeatsOf(derivation);
    const window = ints(repeats);
    const count = repeats.reduce((a, b) => a * b, 1);
    return [
      () =>
        graph.mul(graph.node("AveragePool", [dy], { kernel_shape: window, strides: window }), like(graph, count, dy)),
    ];
  },
} as const satisfies Rules<typeof resamplingOperators>;

/** How often each element stands along each spatial axis. */
function repeatsOf({ inputs: [x, , scales, sizes], output, attributes, refusal }: Derivation): readonly number[] {
  const mode = stringOf(attributes, "mode", "nearest");
  if (mode !== "nearest") throw refusal("mode", mode, "nearest");
  const coordinates = stringOf(attributes, "coordinate_transformation_mode", "half_pixel");
  const rounding = stringOf(attributes, "nearest_mode", "round_prefer_floor");
  const repeatsEach =
    (coordinates === "asymmetric" && rounding === "floor") ||
    (coordinates.startsWith("half_pixel") && rounding.startsWith("round"));
  if (!repeatsEach) {
    throw refusal(
      "coordinate_transformation_mode and nearest_mode",
      `${coordinates}, ${rounding}`,
      "half_pixel and round_prefer_floor, or asymmetric and floor",
    );
  }
  const factors = x.shape.map((size, axis) => {
    const place = axesOf(intsOf(attributes, "axes"), x.shape).indexOf(axis);
    if (place < 0 || output.shape[axis] === size) return 1;
    return sizes === undefined ? factorsOf(scales)[place] : Number(output.shape[axis]) / Number(size);
  });
  const [rows, channels, ...spatial] = factors;
  if (rows !== 1 || channels !== 1 || !spatial.every((factor) => Number.isInteger(factor) && factor >= 1)) {
    throw refusal("scales", `[${factors}]`, "whole numbers, and 1 for rows and channels");
  }
  return spatial;
}
