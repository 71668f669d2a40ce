import { assert } from "../../errors.ts";
import { productOf } from "../dimensions.ts";
import type { Attributes, Value } from "../graph.ts";
import { reducedShape } from "../shapes.ts";
import { frontAxis, type Inference, intOf, numbersOf, one, taking } from "./inference.ts";

const reduction = taking(
  "numbers",
  one(([x, axes], attributes) => ({
    dataType: x.dataType,
    shape: reducedShape(x.shape, reducedAxes([x, axes], attributes), intOf(attributes, "keepdims", 1) === 1),
  })),
);
const along = taking(
  "floats",
  one(([{ dataType, shape }], attributes) => {
    frontAxis(intOf(attributes, "axis", -1), shape.length);
    return { dataType, shape };
  }),
);
const place = taking(
  "numbers",
  one(([{ shape }], attributes) => {
    const axis = frontAxis(intOf(attributes, "axis", 0), shape.length);
    return { dataType: "INT64", shape: reducedShape(shape, [axis], intOf(attributes, "keepdims", 1) === 1) };
  }),
);

/** Operators that look at all elements along some axes. */
export const reductionOperators = {
  ReduceSum: reduction,
  ReduceMean: reduction,
  ReduceMax: reduction,
  ReduceMin: reduction,
  /** Of sizes also how many elements they make. */
  ReduceProd: (inputs, attributes) => {
    const [type] = reduction(inputs, attributes);
    const { sizes } = inputs[0];
    return [sizes !== undefined && type.shape.length === 0 ? { ...type, sizes: [productOf(sizes)] } : type];
  },
  ReduceL1: reduction,
  ReduceL2: reduction,
  ReduceSumSquare: reduction,
  ReduceLogSum: reduction,
  ReduceLogSumExp: reduction,
  ArgMax: place,
  ArgMin: place,
  Softmax: along,
  LogSoftmax: along,
  CumSum: taking(
    "numbers",
    one(([{ dataType, shape }, axis]) => {
      assert(axis.shape.length === 0, `the axis of CumSum is a scalar, not of shape [${axis.shape}]`);
      if (axis.elements !== undefined) frontAxis(Number(axis.elements[0]), shape.length);
      return { dataType, shape };
    }),
  ),
} as const satisfies Record<string, Inference>;

/** The axes that a reduction drops or makes 1, counted from the front and in order: all where none is given, unless it is told otherwise. */
export function reducedAxes([x, axes]: readonly Value[], attributes: Attributes): readonly number[] {
  const given = axes === undefined ? [] : numbersOf(axes).map((axis) => frontAxis(axis, x.shape.length));
  if (given.length > 0 || intOf(attributes, "noop_with_empty_axes", 0) === 1) return given.sort((a, b) => a - b);
  return x.shape.map((_, axis) => axis);
}
