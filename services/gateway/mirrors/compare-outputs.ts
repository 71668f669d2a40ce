import { type DataType, elementBytes, elementCount, type Tensor } from "../../../lib/tensor.ts";
import { numberReader } from "../../../lib/tensor-numbers.ts";

/** The outputs of an answer, by name. */
export type Outputs = ReadonlyMap<string, Tensor>;

/** How an output of one answer is to that of another one. */
export type OutputComparison =
  /** Only one of them has it. */
  | { readonly kind: "missing" }
  /** They have other types, or other shapes. */
  | { readonly kind: "other-form" }
  /** BYTES. */
  | { readonly kind: "texts"; readonly areEqual: boolean }
  /** All others; of large ones only some elements were looked at. */
  | NumbersComparison;

interface NumbersComparison {
  readonly kind: "numbers";
  /** The largest difference between two elements; Infinity where one is a number and the other is none. */
  readonly maxDifference: number;
  /** Rows whose greatest elements were looked for: along the last axis, where that is longer than one element. */
  readonly rows: number;
  /** Of these, the rows in which both have it in the same place. */
  readonly agreeing: number;
}

/** Compares two answers, looking at about `elementsMax` elements at most, spread evenly. */
export function compareOutputs(
  one: Outputs,
  other: Outputs,
  elementsMax: number,
): ReadonlyMap<string, OutputComparison> {
  const names = new Set([...one.keys(), ...other.keys()]);
  const share = Math.max(1, Math.floor(elementsMax / names.size));
  return new Map([...names].map((name) => [name, compared(one.get(name), other.get(name), share)]));
}

function compared(one: Tensor | undefined, other: Tensor | undefined, elementsMax: number): OutputComparison {
  if (one === undefined || other === undefined) return { kind: "missing" };
  const isSameForm = one.dataType === other.dataType && String(one.shape) === String(other.shape);
  if (!isSameForm) return { kind: "other-form" };
  if (one.dataType === "BYTES") return { kind: "texts", areEqual: Buffer.compare(one.bytes, other.bytes) === 0 };
  const width = one.shape.at(-1) ?? 1;
  return width > elementsMax ? comparedElements(one, other, elementsMax) : comparedRows(one, other, width, elementsMax);
}

/** Some of all elements, of rows too long to look at. */
function comparedElements(one: Tensor, other: Tensor, elementsMax: number): NumbersComparison {
  const [left, right] = readersOf(one, other);
  const count = elementCount(one.shape);
  const step = Math.ceil(count / elementsMax);
  let maxDifference = 0;
  for (let index = 0; index < count; index += step) {
    maxDifference = Math.max(maxDifference, differenceOf(left(index), right(index)));
  }
  return { kind: "numbers", maxDifference, rows: 0, agreeing: 0 };
}

/** All elements of some rows. */
function comparedRows(one: Tensor, other: Tensor, width: number, elementsMax: number): NumbersComparison {
  const [left, right] = readersOf(one, other);
  const rowCount = width === 0 ? 0 : elementCount(one.shape) / width;
  const step = Math.ceil(rowCount / Math.floor(elementsMax / width));
  let maxDifference = 0;
  let rows = 0;
  let agreeing = 0;
  for (let row = 0; row < rowCount; row += step) {
    let [leftTop, rightTop] = [row * width, row * width];
    for (let index = row * width; index < (row + 1) * width; index++) {
      maxDifference = Math.max(maxDifference, differenceOf(left(index), right(index)));
      if (left(index) > left(leftTop)) leftTop = index;
      if (right(index) > right(rightTop)) rightTop = index;
    }
    rows++;
    if (leftTop === rightTop) agreeing++;
  }
  return width > 1
    ? { kind: "numbers", maxDifference, rows, agreeing }
    : { kind: "numbers", maxDifference, rows: 0, agreeing: 0 };
}

function readersOf(one: Tensor, other: Tensor) {
  return [numberReader(one.dataType, one.bytes), numberReader(other.dataType, other.bytes)] as const;
}

/** Two that are no numbers are the same, as are two infinities of one sign. */
function differenceOf(one: number | bigint, other: number | bigint): number {
  if (one === other || (Number.isNaN(one) && Number.isNaN(other))) return 0;
  const difference = typeof one === "bigint" ? Number(one - (other as bigint)) : one - (other as number);
  return Number.isNaN(difference) ? Infinity : Math.abs(difference);
}

/** Whether the bytes of a tensor are as many as its type and shape say. */
export function isWhole({ dataType, shape, bytes }: Tensor): boolean {
  const perElement: number | undefined = elementBytes[dataType as DataType];
  return perElement === undefined || bytes.byteLength === elementCount(shape) * perElement;
}
