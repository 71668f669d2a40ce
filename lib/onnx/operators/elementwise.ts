import { assert } from "../../errors.ts";
import { broadcastShape } from "../shapes.ts";
import { type Inference, one, typeOf } from "./inference.ts";

const elementwise: Inference = one((inputs) => {
  const [{ dataType }] = inputs;
  assert(
    inputs.every((input) => input.dataType === dataType),
    `operands have one data type, not ${inputs.map((input) => input.dataType)}`,
  );
  return { dataType, shape: inputs.map(({ shape }) => shape).reduce(broadcastShape) };
});
const comparison: Inference = (inputs, attributes) => [{ ...elementwise(inputs, attributes)[0], dataType: "BOOL" }];

/** Operators that work on each element by itself, with broadcasting. */
export const elementwiseOperators = {
  Add: elementwise,
  Sub: elementwise,
  Mul: elementwise,
  Div: elementwise,
  Pow: elementwise,
  Neg: elementwise,
  Exp: elementwise,
  Log: elementwise,
  Sqrt: elementwise,
  Relu: elementwise,
  Tanh: elementwise,
  Sigmoid: elementwise,
  Identity: elementwise,
  Equal: comparison,
  Greater: comparison,
  Where: one(([condition, ...choices], attributes) => {
    const [{ dataType, shape }] = elementwise(choices, attributes);
    return { dataType, shape: broadcastShape(condition.shape, shape) };
  }),
  Cast: one(([{ shape }], attributes) => ({ dataType: typeOf(attributes, "to"), shape })),
} as const satisfies Record<string, Inference>;
