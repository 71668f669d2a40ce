import type { DataType } from "../tensor.ts";
import type { Elements, Value } from "./graph.ts";

/** ONNX's number for each data type (`TensorProto.DataType`). */
export const elementTypes = {
  FP32: 1,
  UINT8: 2,
  INT8: 3,
  UINT16: 4,
  INT16: 5,
  INT32: 6,
  INT64: 7,
  BYTES: 8,
  BOOL: 9,
  FP16: 10,
  FP64: 11,
  UINT32: 12,
  UINT64: 13,
  BF16: 16,
} as const satisfies Record<DataType, number>;

const dataTypes = new Map<number, DataType>(
  Object.entries(elementTypes).map(([dataType, elementType]) => [elementType, dataType as DataType]),
);

/** The data type for ONNX's number, undefined for types that the Open Inference Protocol has no name for (complex, 8 and 4 bit). */
export function dataTypeOf(elementType: number): DataType | undefined {
  return dataTypes.get(elementType);
}

export function isFloat(dataType: Value["dataType"]): boolean {
  return /^(FP|BF)/.test(dataType);
}

/** The array that holds elements of a data type; 16-bit floats as their bits. BYTES has none. */
export const arrays = {
  FP32: Float32Array,
  UINT8: Uint8Array,
  INT8: Int8Array,
  UINT16: Uint16Array,
  INT16: Int16Array,
  INT32: Int32Array,
  INT64: BigInt64Array,
  BOOL: Uint8Array,
  FP16: Uint16Array,
  FP64: Float64Array,
  UINT32: Uint32Array,
  UINT64: BigUint64Array,
  BF16: Uint16Array,
} as const;

export type NumericDataType = keyof typeof arrays;

/** Numbers as elements of a data type, rounded as the array type rounds. */
export function elementsOf(dataType: NumericDataType, numbers: Iterable<number>): Elements {
  const array = arrays[dataType];
  if (array === BigInt64Array || array === BigUint64Array) return array.from([...numbers].map(BigInt));
  return (array as Float32ArrayConstructor).from(numbers);
}
