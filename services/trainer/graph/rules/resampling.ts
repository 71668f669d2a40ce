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
    if (mode === "reflect" || mode === "edge" || mode === "wrap") {
      const [rule] = putBack("Pad")({ ...derivation, inputs: [inputs[0], pads, undefined as never, axes] });
      return [rule];
    }
    if (mode !== "constant") throw refusal("mode", mode, "constant, reflect, edge or wrap");
    const cropped = () => graph.node("Pad", [dy, graph.neg(pads), undefined, axes]);
    return [cropped, undefined, () => graph.sub(graph.reduceSum(dy), graph.reduceSum(cropped()))];
  },
  /** Where each element was repeated equally often: the sum over its copies, which is an average pooling times their number. */
  Resize: (derivation) => {
    const { graph, attributes, dy, refusal } = derivation;
    const mode = stringOf(attributes, "mode", "nearest");
    if (mode !== "nearest") throw refusal("mode", mode, "nearest");
    const coordinates = stringOf(attributes, "coordinate_transformation_mode", "half_pixel");
    if (coordinates === "tf_crop_and_resize") {
      throw refusal("coordinate_transformation_mode", coordinates, "one that takes all elements from the input");
    }
    const repeats = repeatsOf(derivation, coordinates);
    if (repeats === undefined) return putBack("Resize", "INT32")(derivation);
    const window = ints(repeats);
    const count = repeats.reduce((a, b) => a * b, 1);
    return [
      () =>
        graph.mul(graph.node("AveragePool", [dy], { kernel_shape: window, strides: window }), like(graph, count, dy)),
    ];
  },
} as const satisfies Rules<typeof resamplingOperators>;

/** How often each element stands along each spatial axis; undefined where that is not the same for all. */
function repeatsOf(
  { inputs: [x, , scales, sizes], output, attributes }: Derivation,
  coordinates: string,
): readonly number[] | undefined {
  const rounding = stringOf(attributes, "nearest_mode", "round_prefer_floor");
  const repeatsEach =
    (coordinates === "asymmetric" && rounding === "floor") ||
    (coordinates === "half_pixel" && rounding.startsWith("round"));
  const factors = x.shape.map((size, axis) => {
    const place = axesOf(intsOf(attributes, "axes"), x.shape).indexOf(axis);
    if (place < 0 || output.shape[axis] === size) return 1;
    return sizes === undefined ? factorsOf(scales)[place] : Number(output.shape[axis]) / Number(size);
  });
  const [rows, channels, ...spatial] = factors;
  const isEqual = rows === 1 && channels === 1 && spatial.every((factor) => Number.isInteger(factor) && factor >= 1);
  return repeatsEach && isEqual && spatial.length > 0 ? spatial : undefined;
}
