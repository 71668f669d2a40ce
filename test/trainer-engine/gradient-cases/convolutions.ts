import fc from "fast-check";
import { int, ints, string } from "../../../lib/onnx/attributes.ts";
import type { Attributes } from "../../../lib/onnx/graph.ts";
import type { Case, Cases, Shape } from "./case.ts";

const geometries: readonly Attributes[] = [
  {},
  { strides: ints([2]), pads: ints([1, 0]) },
  { dilations: ints([2]), pads: ints([0, 2]) },
  { strides: ints([3]), dilations: ints([2]), pads: ints([1, 1]) },
  { auto_pad: string("SAME_UPPER"), strides: ints([2]) },
  { auto_pad: string("SAME_LOWER") },
  { auto_pad: string("VALID"), strides: ints([2]) },
  { strides: ints([2, 1]), pads: ints([1, 0, 0, 1]) },
  { dilations: ints([2, 1]), pads: ints([1, 2, 2, 1]) },
  { strides: ints([2, 3]), dilations: ints([1, 2]), pads: ints([1, 1, 1, 1]) },
  { auto_pad: string("SAME_LOWER"), strides: ints([2, 2]) },
];
const enlarged: readonly Attributes[] = [
  { strides: ints([3]), output_padding: ints([2]) },
  { strides: ints([2, 3]), pads: ints([0, 1, 0, 1]), output_padding: ints([1, 2]) },
  { strides: ints([2, 2]), output_shape: ints([7, 8]), auto_pad: string("SAME_UPPER") },
  { strides: ints([2, 2]), output_shape: ints([7, 8]) },
];

export const convolutionCases: Cases = {
  Conv: geometries.map((attributes) => convolution("Conv", attributes)),
  ConvTranspose: [...geometries, ...enlarged].map((attributes) => convolution("ConvTranspose", attributes)),
};

/** Linear in each of input, weight and bias, so that central differences have no error but rounding. */
function convolution(operator: "Conv" | "ConvTranspose", attributes: Attributes): Case {
  const rank = Object.values(attributes).some(({ kind, value }) => kind === "ints" && isOfPlane(attributes, value))
    ? 2
    : 1;
  return {
    shapes: shapesOf(operator, rank, attributes.output_shape !== undefined),
    sized: "batch",
    dataType: "FP32",
    apply: (graph, [x, w, b]) => {
      const [channels, perGroup] = [Number(x.shape[1]), Number(w.shape[1])];
      const group = operator === "Conv" ? channels / perGroup : Number(b.shape[0]) / perGroup;
      return graph.node(operator, [x, w, b], { ...attributes, group: int(group) });
    },
  };
}

function isOfPlane({ pads }: Attributes, value: readonly number[]): boolean {
  return value.length === (pads?.value === value ? 4 : 2);
}

function shapesOf(operator: string, rank: number, fixed: boolean): fc.Arbitrary<readonly Shape[]> {
  const size = (min: number, max: number) => fc.integer({ min, max });
  const perAxis = (min: number, max: number) => fc.array(size(min, max), { minLength: rank, maxLength: rank });
  const input = fixed ? fc.constant([4, 4]) : perAxis(5, 6);
  const kernel = fixed ? fc.constant([2, 2]) : perAxis(operator === "Conv" ? 1 : 2, 3);
  return fc
    .tuple(size(1, 2), size(1, 2), size(1, 2), size(1, 2), input, kernel)
    .map(([rows, group, ins, outs, spatial, taps]) => [
      [rows, group * ins, ...spatial],
      operator === "Conv" ? [group * outs, ins, ...taps] : [group * ins, outs, ...taps],
      [group * outs],
    ]);
}
