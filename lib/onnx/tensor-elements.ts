import { ServiceError } from "../errors.ts";
import { arrays, dataTypeOf, type NumericDataType } from "./element-type.ts";
import type { Elements } from "./graph.ts";
import { type Int64, integerOf, type SparseTensorProto, type TensorProto } from "./model.ts";

/** Bytes of the files beside an ONNX file, by the locations that it names. */
export type ExternalFiles = ReadonlyMap<string, Uint8Array>;

/** The dimensions of a tensor. Throws ARTIFACT_INVALID for one below 0 or beyond 2^53. */
export function dimensionsOf({ name, dims = [] }: TensorProto): readonly number[] {
  return dims.map((dim) => {
    const size = typeof dim === "number" ? dim : Number.NaN;
    if (size >= 0) return size;
    throw refusal(
      name,
      `has a dimension of ${typeof dim === "number" ? dim : "more than 2^53"}`,
      "sizes from 0 to 2^53",
    );
  });
}

/**
 * The elements of a tensor, wherever it keeps them (ONNX `TensorProto`); they may alias the bytes that it was read from. Undefined where
 * there is no array for them (texts, complex numbers, 8- and 4-bit floats), and where they are in a file that is not given.
 *
 * Throws ARTIFACT_INVALID that names the tensor where there are more or fewer elements than its shape says.
 */
export function elementsIn(tensor: TensorProto, files: ExternalFiles): Elements | undefined {
  const dataType = dataTypeOf(tensor.dataType ?? 0);
  if (dataType === undefined || dataType === "BYTES") return undefined;
  const count = dimensionsOf(tensor).reduce((product, size) => product * size, 1);
  const bytes = tensor.externalData?.length ? externalBytes(tensor, files) : tensor.rawData;
  if (bytes === undefined && tensor.externalData?.length) return undefined;
  const elements = bytes === undefined ? typedElements(tensor, dataType) : rawElements(tensor, bytes, dataType);
  if (elements.length === count) return elements;
  throw refusal(tensor.name, `has ${elements.length} elements`, `${count}, as its shape [${tensor.dims ?? []}] says`);
}

/** All elements of a sparse tensor, zeros included; as `elementsIn`. */
export function sparseElements(
  { values, indices, dims = [] }: SparseTensorProto,
  files: ExternalFiles,
): Elements | undefined {
  const found = values ? elementsIn(values, files) : undefined;
  const places = indices ? elementsIn(indices, files) : undefined;
  if (found === undefined || places === undefined) return undefined;
  const shape = dimensionsOf({ name: values?.name, dims });
  const count = shape.reduce((product, size) => product * size, 1);
  const rank = places.length === found.length && indices?.dims?.length === 1 ? 1 : shape.length;
  const strides =
    rank === 1 ? [1] : shape.map((_, axis) => shape.slice(axis + 1).reduce((product, size) => product * size, 1));
  const elements = new (found.constructor as new (length: number) => Float32Array)(count);
  for (let index = 0; index < found.length; index++) {
    const place = strides.reduce((sum, stride, axis) => sum + stride * Number(places[index * rank + axis]), 0);
    if (!(place >= 0 && place < count))
      throw refusal(values?.name, `has an element at ${place}`, `places below ${count}`);
    elements[place] = found[index] as number;
  }
  return elements;
}

function externalBytes(tensor: TensorProto, files: ExternalFiles): Uint8Array | undefined {
  const entries = new Map(tensor.externalData?.map(({ key = "", value = "" }) => [key, value]));
  const bytes = files.get(entries.get("location") ?? "");
  const begin = Number(entries.get("offset") ?? 0);
  // A length of 0 is one that is not given.
  const end = Number(entries.get("length") ?? 0) > 0 ? begin + Number(entries.get("length")) : bytesOf(tensor, begin);
  if (bytes === undefined || (begin >= 0 && end <= bytes.byteLength)) return bytes?.subarray(begin, end);
  const seen = `keeps its data in bytes ${begin} to ${end} of ${JSON.stringify(entries.get("location"))}`;
  throw refusal(tensor.name, seen, `a range within its ${bytes.byteLength} bytes`);
}

function bytesOf(tensor: TensorProto, begin: number): number {
  const size = arrays[dataTypeOf(tensor.dataType ?? 0) as NumericDataType].BYTES_PER_ELEMENT;
  return begin + dimensionsOf(tensor).reduce((product, dim) => product * dim, size);
}

function rawElements({ name }: TensorProto, bytes: Uint8Array, dataType: NumericDataType): Elements {
  const array = arrays[dataType];
  const size = array.BYTES_PER_ELEMENT;
  if (bytes.byteLength % size !== 0) throw refusal(name, `has ${bytes.byteLength} bytes`, `a multiple of ${size}`);
  const aligned = bytes.byteOffset % size === 0 ? bytes : Uint8Array.from(bytes);
  return new array(aligned.buffer as ArrayBuffer, aligned.byteOffset, bytes.byteLength / size);
}

/** Which field holds the elements of a type. */
function typedElements(tensor: TensorProto, dataType: NumericDataType): Elements {
  switch (dataType) {
    case "FP32":
      return Float32Array.from(tensor.floatData ?? []);
    case "FP64":
      return Float64Array.from(tensor.doubleData ?? []);
    case "INT64":
      return BigInt64Array.from(tensor.int64Data ?? [], bigIntOf);
    case "UINT64":
      return BigUint64Array.from(tensor.uint64Data ?? [], bigIntOf);
    case "UINT32":
      return Uint32Array.from(tensor.uint64Data ?? [], integerOf);
    default:
      return (arrays[dataType] as Uint8ArrayConstructor).from(tensor.int32Data ?? []);
  }
}

function bigIntOf(value: Int64): bigint {
  return typeof value === "number" ? BigInt(value) : (BigInt(value.high) << 32n) | BigInt(value.low >>> 0);
}

function refusal(name: string | undefined, what: string, needed: string): ServiceError {
  return new ServiceError("ARTIFACT_INVALID", `the tensor ${JSON.stringify(name ?? "")} ${what}; needed: ${needed}`);
}
