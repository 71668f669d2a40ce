import { assert } from "../../errors.ts";
import { productOf, sumOf } from "../dimensions.ts";
import type { Dimension, Shape, Value } from "../graph.ts";
import { broadcastShape } from "../shapes.ts";
import { commonType, type Inference, one, sizesOf, taking, typeOf, type ValueType } from "./inference.ts";

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

/** Arithmetic that sizes which only have a name are put through too. */
function ofSizes(combined: (sizes: readonly Dimension[]) => Dimension): Inference {
  return (inputs, attributes) => {
    const [type] = ofNumbers(inputs, attributes) as [ValueType];
    const { dataType, shape } = type;
    const hold = ({ sizes, elements }: Value) => (sizes ?? elements) !== undefined;
    if (dataType !== "INT64" || shape.length > 1 || !inputs.every(hold) || inputs.every(isConstant)) return [type];
    const operands = inputs.map(sizesOf);
    const count = Math.max(...operands.map(({ length }) => length));
    const at = (sizes: Shape, index: number) => sizes[sizes.length === 1 ? 0 : index]!;
    const sizes = Array.from({ length: count }, (_, index) => combined(operands.map((each) => at(each, index))));
    return [{ ...type, sizes }];
  };
}

function isConstant({ elements }: Value): boolean {
  return elements !== undefined;
}

/** Operators that work on each element by itself, with broadcasting. */
export const elementwiseOperators = {
  Add: ofSizes(sumOf),
  Sub: ofNumbers,
  Mul: ofSizes(productOf),
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
