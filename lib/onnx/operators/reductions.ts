import { reducedShape } from "../shapes.ts";
import { type Inference, intOf, one, sizesOf } from "./inference.ts";

const reduction: Inference = one(([x, axes], attributes) => ({
  dataType: x.dataType,
  shape: reducedShape(x.shape, axes && sizesOf(axes).map(Number), intOf(attributes, "keepdims", 1) === 1),
}));
const sameType: Inference = one(([{ dataType, shape }]) => ({ dataType, shape }));

/** Operators that look at all elements along some axes. */
export const reductionOperators = {
  ReduceSum: reduction,
  ReduceMean: reduction,
  ArgMax: one(([{ shape }], attributes) => ({
    dataType: "INT64",
    shape: reducedShape(shape, [intOf(attributes, "axis", 0)], intOf(attributes, "keepdims", 1) === 1),
  })),
  Softmax: sameType,
  LogSoftmax: sameType,
} as const satisfies Record<string, Inference>;
