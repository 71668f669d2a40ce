import { assert } from "../../errors.ts";
import { broadcastShape } from "../shapes.ts";
import { type Inference, one, typeOf } from "./inference.ts";

/** The type of an operator whose operands broadcast to each other; one that is left out does not count. */
const elementwise: Inference = one((inputs) => {
  const given = inputs.filter((input) => input !== undefined);
  const [{ dataType }] = given;
  assert(
    given.every((input) => input.dataType === dataType),
    `operands have one data type, not ${given.map((input) => input.dataType)}`,
  );
  return { dataType, shape: given.map(({ shape }) => shape).reduce(broadcastShape) };
});
const comparison: Inference = (inputs, attributes) => [{ ...elementwise(inputs, attributes)[0], dataType: "BOOL" }];
const logical: Inference = (inputs, attributes) => {
  const types = elementwise(inputs, attributes);
  assert(types[0].dataType === "BOOL", `operands are of BOOL, not ${types[0].dataType}`);
  return types;
};

/** Operators that work on each element by itself, with broadcasting. */
export const elementwiseOperators = {
  Add: elementwise,
  Sub: elementwise,
  Mul: elementwise,
  Div: elementwise,
  Mod: elementwise,
  Pow: one(([base, exponent]) => ({
    dataType: base.dataType,
    shape: broadcastShape(base.shape, exponent.shape),
  })),
  Neg: elementwise,
  Abs: elementwise,
  Sign: elementwise,
  Reciprocal: elementwise,
  Exp: elementwise,
  Log: elementwise,
  Sqrt: elementwise,
  Erf: elementwise,
  Sin: elementwise,
  Cos: elementwise,
  Ceil: elementwise,
  Floor: elementwise,
  Round: elementwise,
  Min: elementwise,
  Max: elementwise,
  Clip: one((inputs, attributes) => {
    const bounds = inputs.slice(1).filter((bound) => bound !== undefined);
    assert(
      bounds.every(({ shape }) => shape.length === 0),
      `bounds are scalars, not of shape ${bounds.map(({ shape }) => `[${shape}]`)}`,
    );
    return elementwise(inputs, attributes)[0];
  }),
  Identity: elementwise,
  Equal: comparison,
  BitShift: elementwise,
  BitwiseXor: elementwise,
  Greater: comparison,
  GreaterOrEqual: comparison,
  Less: comparison,
  LessOrEqual: comparison,
  Not: logical,
  And: logical,
  Or: logical,
  Xor: logical,
  Where: one(([condition, ...choices], attributes) => {
    assert(condition.dataType === "BOOL", `a condition is of BOOL, not ${condition.dataType}`);
    const [{ dataType, shape }] = elementwise(choices, attributes);
    return { dataType, shape: broadcastShape(condition.shape, shape) };
  }),
  Cast: one(([{ shape, sizes }], attributes) => ({ dataType: typeOf(attributes, "to"), shape, sizes })),
} as const satisfies Record<string, Inference>;
