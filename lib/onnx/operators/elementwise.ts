import { assert } from "../../errors.ts";
import type { Value } from "../graph.ts";
import { broadcastShape } from "../shapes.ts";
import { commonType, type Inference, one, taking, typeOf } from "./inference.ts";

/** The type of an operator whose operands broadcast to each other; one that is left out does not count. */
const elementwise: Inference = one((inputs) => {
  const shapes = inputs.flatMap((input: Value | undefined) => (input === undefined ? [] : [input.shape]));
  return { dataType: commonType(inputs), shape: shapes.reduce(broadcastShape) };
});
const ofNumbers = taking("numbers", elementwise);
const ofFloats = taking("floats", elementwise);
const ofIntegers = taking("integers", elementwise);
const ofTruths = taking("truth values", elementwise);
const equality: Inference = (inputs, attributes) => [{ ...elementwise(inputs, attributes)[0], dataType: "BOOL" }];
const comparison = taking("numbers", equality);

/** Operators that work on each element by itself, with broadcasting. */
export const elementwiseOperators = {
  Add: ofNumbers,
  Sub: ofNumbers,
  Mul: ofNumbers,
  Div: ofNumbers,
  Mod: ofNumbers,
  Pow: taking(
    "numbers",
    one(([base, exponent]) => ({ dataType: base.dataType, shape: broadcastShape(base.shape, exponent.shape) })),
  ),
  Neg: ofNumbers,
  Abs: ofNumbers,
  Sign: ofNumbers,
  Reciprocal: ofFloats,
  Exp: ofFloats,
  Log: ofFloats,
  Sqrt: ofFloats,
  Erf: ofFloats,
  Sin: ofFloats,
  Cos: ofFloats,
  Ceil: ofFloats,
  Floor: ofFloats,
  Round: ofFloats,
  Min: ofNumbers,
  Max: ofNumbers,
  Clip: one((inputs, attributes) => {
    const bounds = inputs.slice(1).filter((bound) => bound !== undefined);
    assert(
      bounds.every(({ shape }) => shape.length === 0),
      `bounds are scalars, not of shape ${bounds.map(({ shape }) => `[${shape}]`)}`,
    );
    return ofNumbers(inputs, attributes)[0];
  }),
  Identity: elementwise,
  Equal: equality,
  BitShift: ofIntegers,
  BitwiseXor: ofIntegers,
  Greater: comparison,
  GreaterOrEqual: comparison,
  Less: comparison,
  LessOrEqual: comparison,
  Not: ofTruths,
  And: ofTruths,
  Or: ofTruths,
  Xor: ofTruths,
  Where: one(([condition, ...choices], attributes) => {
    assert(condition.dataType === "BOOL", `a condition is of BOOL, not ${condition.dataType}`);
    const [{ dataType, shape }] = elementwise(choices, attributes);
    return { dataType, shape: broadcastShape(condition.shape, shape) };
  }),
  Cast: one(([{ shape, sizes }], attributes) => ({ dataType: typeOf(attributes, "to"), shape, sizes })),
} as const satisfies Record<string, Inference>;
