import { anyRank } from "../../../lib/onnx/signature.ts";
import { elementBytes, elementCount, type Tensor, type TensorSpec } from "../../../lib/tensor.ts";
import { byteStringsEnd, checkByteStrings } from "../tensors/byte-strings.ts";
import { checkByteCount } from "../tensors/shape.ts";
import { quoted } from "../tensors/tensor-fault.ts";
import { unfit } from "./fits.ts";
import type { StateSettings } from "./sequence-settings.ts";

/** A state as it is before the first request of a sequence, which has so many rows. */
export interface InitialState {
  /** Whether its shape depends on them. */
  readonly hasRows: boolean;
  bytes(rowCount: number): number;
  tensor(rowCount: number): Tensor;
}

/**
 * How the state of an input begins. Throws ARTIFACT_INVALID where the shape does not fit the input or the elements do not fill
 * the shape.
 */
export function initialState({ initialShape, initialRaw }: StateSettings, input: TensorSpec): InitialState {
  const { name, dataType } = input;
  const label = `the initial state of input ${quoted(name)}`;
  const shape = initialShape.length > 0 ? initialShape : derivedShape(input, label);
  checkFit(shape, input, label);
  const ofOneRow = shape.map((size) => (size < 0 ? 1 : size));
  if (initialRaw.byteLength > 0) checkElements(initialRaw, ofOneRow, input, label);
  const isGiven = initialRaw.byteLength > 0;
  const sized = (rowCount: number) => shape.map((size) => (size < 0 ? rowCount : size));
  const zeroBytes = (rowCount: number) => elementCount(sized(rowCount)) * (elementBytes[dataType] ?? emptyTextBytes);
  const hasRows = shape.some((size) => size < 0);
  return {
    hasRows,
    bytes: (rowCount) => (isGiven ? initialRaw.byteLength * (hasRows ? rowCount : 1) : zeroBytes(rowCount)),
    tensor: (rowCount) => {
      const bytes = isGiven ? repeated(initialRaw, shape, input, rowCount) : new Uint8Array(zeroBytes(rowCount));
      return { name, dataType, shape: sized(rowCount), bytes };
    },
  };
}

/** A text without characters is its length alone. */
const emptyTextBytes = 4;

function derivedShape({ shape }: TensorSpec, label: string): number[] {
  if (shape[0] === anyRank) throw unfit(`${label} has no shape, and the model does not say how many dimensions it has`);
  const rows = shape.findIndex((size) => typeof size === "string");
  return shape.map((size, axis) => (typeof size === "number" ? size : axis === rows ? -1 : 0));
}

function checkFit(shape: readonly number[], { shape: needed }: TensorSpec, label: string): void {
  const seen = `${label} has shape [${shape.join(", ")}]`;
  if (shape.filter((size) => size < 0).length > 1) throw unfit(`${seen}; needed: -1 once at most`);
  if (needed[0] === anyRank) return;
  const fits = shape.length === needed.length && needed.every((size, axis) => isFree(size) || size === shape[axis]);
  if (!fits) throw unfit(`${seen}; needed: [${needed.join(", ")}]`);
}

function isFree(size: number | string): boolean {
  return typeof size === "string";
}

function checkElements(raw: Uint8Array, shape: readonly number[], { dataType }: TensorSpec, label: string): void {
  const size = elementBytes[dataType];
  try {
    if (size === undefined) checkByteStrings(raw, elementCount(shape), label);
    else checkByteCount(raw.byteLength, shape, size, label);
  } catch (fault) {
    throw unfit((fault as Error).message);
  }
}

/** The elements of one row, so many times along the axis of the rows. */
function repeated(raw: Uint8Array, shape: readonly number[], { dataType }: TensorSpec, rowCount: number): Uint8Array {
  const axis = shape.findIndex((size) => size < 0);
  if (axis < 0) return raw;
  const outerCount = elementCount(shape.slice(0, axis));
  const innerCount = elementCount(shape.slice(axis + 1));
  const size = elementBytes[dataType];
  const parts: Uint8Array[] = [];
  let begin = 0;
  for (let outer = 0; outer < outerCount; outer++) {
    const end = size === undefined ? byteStringsEnd(raw, begin, innerCount) : begin + innerCount * size;
    for (let row = 0; row < rowCount; row++) parts.push(raw.subarray(begin, end));
    begin = end;
  }
  return Buffer.concat(parts);
}
