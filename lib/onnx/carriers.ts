import { ServiceError } from "../errors.ts";
import type { DataType, Signature } from "../tensor.ts";

/** The runtime's name of each data type, and the array that it wants; strings and what it cannot carry have none. */
export const carriers = {
  BOOL: { type: "bool", array: Uint8Array },
  UINT8: { type: "uint8", array: Uint8Array },
  UINT16: { type: "uint16", array: Uint16Array },
  UINT32: { type: "uint32", array: Uint32Array },
  UINT64: { type: "uint64", array: BigUint64Array },
  INT8: { type: "int8", array: Int8Array },
  INT16: { type: "int16", array: Int16Array },
  INT32: { type: "int32", array: Int32Array },
  INT64: { type: "int64", array: BigInt64Array },
  FP16: { type: "float16", array: Uint16Array },
  FP32: { type: "float32", array: Float32Array },
  FP64: { type: "float64", array: Float64Array },
  BYTES: { type: "string", array: undefined },
  BF16: undefined,
} as const satisfies Record<DataType, { readonly type: string; readonly array: unknown } | undefined>;

/** Throws ARTIFACT_INVALID that names an input which cannot be carried: BF16 travels as FP32, and a default of it does not. */
export function checkCarried({ inputs }: Signature): void {
  const refused = inputs.find(({ dataType, optional }) => optional && carriers[dataType] === undefined);
  if (refused === undefined) return;
  const message = `'${refused.name}' is ${refused.dataType} and has a default, which the runtime cannot carry`;
  throw new ServiceError("ARTIFACT_INVALID", message);
}
