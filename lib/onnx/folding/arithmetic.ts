import type { Elements } from "../graph.ts";
import { intOf } from "../operators/inference.ts";
import type { Constant, ConstantType, Fold } from "./fold.ts";
import { broadcastPlace, coordinatesOf } from "./places.ts";

/** What an operator gives for one element of each input; undefined where that is not worked out here. */
interface Scalars {
  readonly float?: (...operands: number[]) => number | boolean;
  readonly whole?: (...operands: bigint[]) => bigint | boolean | undefined;
}

/**
 * Functions of elements that every machine rounds alike (IEEE 754). 32-bit floats are worked out in double precision and rounded once
 * more, which gives the same for sums, differences, products, quotients and roots (Figueroa 1995). Whole numbers wrap around.
 */
export const arithmeticFolds = {
  Add: elementwise({ float: (a, b) => a + b, whole: (a, b) => a + b }),
  Sub: elementwise({ float: (a, b) => a - b, whole: (a, b) => a - b }),
  Mul: elementwise({ float: (a, b) => a * b, whole: (a, b) => a * b }),
  Div: elementwise({ float: (a, b) => a / b, whole: (a, b) => (b === 0n ? undefined : a / b) }),
  /** Of whole numbers, with the sign of the divisor. */
  Mod: (inputs, attributes, type) =>
    intOf(attributes, "fmod", 0) === 1
      ? undefined
      : elementwise({ whole: (a, b) => (b === 0n ? undefined : ((a % b) + b) % b) })(inputs, attributes, type),
  Neg: elementwise({ float: (a) => -a, whole: (a) => -a }),
  Abs: elementwise({ float: Math.abs, whole: (a) => (a < 0n ? -a : a) }),
  Sqrt: elementwise({ float: Math.sqrt }),
  Floor: elementwise({ float: Math.floor }),
  Ceil: elementwise({ float: Math.ceil }),
  Min: elementwise({ whole: (...all) => all.reduce((a, b) => (b < a ? b : a)) }),
  Max: elementwise({ whole: (...all) => all.reduce((a, b) => (b > a ? b : a)) }),
  Equal: elementwise({ float: (a, b) => a === b, whole: (a, b) => a === b }),
  Greater: elementwise({ float: (a, b) => a > b, whole: (a, b) => a > b }),
  GreaterOrEqual: elementwise({ float: (a, b) => a >= b, whole: (a, b) => a >= b }),
  Less: elementwise({ float: (a, b) => a < b, whole: (a, b) => a < b }),
  LessOrEqual: elementwise({ float: (a, b) => a <= b, whole: (a, b) => a <= b }),
  Not: truth((a) => !a),
  And: truth((a, b) => a && b!),
  Or: truth((a, b) => a || b!),
  Xor: truth((a, b) => a !== b),
  Where: ([condition, yes, no], _attributes, { shape }) => {
    const chosen = filled(yes!, shape, (at) => {
      const from = condition!.elements[broadcastPlace(condition!.shape, at)] ? yes! : no!;
      return from.elements[broadcastPlace(from.shape, at)]!;
    });
    // Whether the runtime keeps the sign of a zero depends on which of the operands it broadcasts.
    return chosen.some((element: number | bigint) => Object.is(element, -0)) ? undefined : chosen;
  },
} as const satisfies Record<string, Fold>;

function elementwise({ float, whole }: Scalars): Fold {
  return (inputs, _attributes, type) => {
    const [{ dataType }] = inputs as readonly [Constant];
    if (dataType === "FP32" || dataType === "FP64") return float && overAll<number>(inputs, type, float);
    return dataType === "INT32" || dataType === "INT64" ? whole && overAll<bigint>(inputs, type, whole) : undefined;
  };
}

function truth(apply: (a: boolean, b?: boolean) => boolean): Fold {
  return (inputs, _attributes, type) => overAll<number>(inputs, type, (a, b) => apply(a !== 0, b !== 0));
}

function overAll<Scalar extends number | bigint>(
  inputs: readonly Constant[],
  { dataType, shape }: ConstantType,
  apply: (...operands: Scalar[]) => Scalar | boolean | undefined,
): Elements | undefined {
  const isWhole = inputs[0]!.dataType === "INT32" || inputs[0]!.dataType === "INT64";
  const results = coordinatesOf(shape).map((at) => {
    const operands = inputs.map((input) => input.elements[broadcastPlace(input.shape, at)]!);
    return apply(...((isWhole ? operands.map(BigInt) : operands) as Scalar[]));
  });
  // Which of many a NaN is differs between machines.
  if (results.some((result) => result === undefined || Number.isNaN(result))) return undefined;
  if (dataType === "BOOL") return Uint8Array.from(results as boolean[], Number);
  if (dataType === "INT64") return BigInt64Array.from(results as bigint[]);
  if (dataType === "INT32") return Int32Array.from(results as bigint[], (result) => Number(BigInt.asIntN(32, result)));
  return (dataType === "FP32" ? Float32Array : Float64Array).from(results as number[]);
}

function filled(
  { elements }: Constant,
  shape: readonly number[],
  elementAt: (indices: readonly number[]) => number | bigint,
): Elements {
  return (elements.constructor as Float32ArrayConstructor).from(coordinatesOf(shape).map(elementAt) as number[]);
}
