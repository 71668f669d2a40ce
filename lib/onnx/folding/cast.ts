import { arrays, isFloat, type NumericDataType } from "../element-type.ts";
import type { Elements, Value } from "../graph.ts";
import type { Constant } from "./fold.ts";

/**
 * Elements as those of another type: integers wrap around, floats lose their fraction. Undefined for what no two machines agree about,
 * numbers beyond the integers of the type, and for 16-bit floats and texts.
 */
export function castElements({ dataType, elements }: Constant, to: Value["dataType"]): Elements | undefined {
  if (!isFoldable(dataType) || !isFoldable(to)) return undefined;
  if (dataType === to) return elements;
  const given = Array.from<number | bigint>(elements as ArrayLike<number | bigint>);
  if (to === "BOOL") return Uint8Array.from(given, (element) => (element === 0 || element === 0n ? 0 : 1));
  if (isFloat(to)) {
    // One rounding only: a large integer would be rounded to a double before.
    const isExact = given.every((element) => typeof element === "number" || to === "FP64" || isSafe(element));
    return isExact ? (arrays[to] as Float32ArrayConstructor).from(given, Number) : undefined;
  }
  const whole = given.map((element) => (typeof element === "number" ? Math.trunc(element) : element));
  if (isFloat(dataType) && !whole.every((element) => isWithin(Number(element), to))) return undefined;
  const array = arrays[to];
  if (array === BigInt64Array || array === BigUint64Array) return array.from(whole.map(BigInt));
  return (array as Int32ArrayConstructor).from(whole, (element) => Number(BigInt.asIntN(32, BigInt(element))));
}

type Foldable = Exclude<NumericDataType, "FP16" | "BF16">;

function isFoldable(dataType: Value["dataType"]): dataType is Foldable {
  return Object.hasOwn(arrays, dataType) && dataType !== "FP16" && dataType !== "BF16";
}

function isSafe(element: bigint): boolean {
  return Number.isSafeInteger(Number(element));
}

function isWithin(number: number, dataType: Foldable): boolean {
  const bits = 8 * arrays[dataType].BYTES_PER_ELEMENT;
  const [least, beyond] = dataType.startsWith("U") ? [0, 2 ** bits] : [-(2 ** (bits - 1)), 2 ** (bits - 1)];
  return number >= least && number < beyond;
}
