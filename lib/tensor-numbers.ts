import { assert } from "./errors.ts";
import { brainHalfOf, halfOf } from "./half-floats.ts";
import type { DataType } from "./tensor.ts";

type ReadAt = (view: DataView, offset: number) => number | bigint;

/** How an element of each data type becomes a number: whole ones as bigint, others as number; BYTES have none. */
const readers = {
  BOOL: { bytes: 1, read: (view, offset) => BigInt(view.getUint8(offset)) },
  UINT8: { bytes: 1, read: (view, offset) => BigInt(view.getUint8(offset)) },
  UINT16: { bytes: 2, read: (view, offset) => BigInt(view.getUint16(offset, true)) },
  UINT32: { bytes: 4, read: (view, offset) => BigInt(view.getUint32(offset, true)) },
  UINT64: { bytes: 8, read: (view, offset) => view.getBigUint64(offset, true) },
  INT8: { bytes: 1, read: (view, offset) => BigInt(view.getInt8(offset)) },
  INT16: { bytes: 2, read: (view, offset) => BigInt(view.getInt16(offset, true)) },
  INT32: { bytes: 4, read: (view, offset) => BigInt(view.getInt32(offset, true)) },
  INT64: { bytes: 8, read: (view, offset) => view.getBigInt64(offset, true) },
  FP16: { bytes: 2, read: (view, offset) => halfOf(view.getUint16(offset, true)) },
  BF16: { bytes: 2, read: (view, offset) => brainHalfOf(view.getUint16(offset, true)) },
  FP32: { bytes: 4, read: (view, offset) => view.getFloat32(offset, true) },
  FP64: { bytes: 8, read: (view, offset) => view.getFloat64(offset, true) },
  BYTES: undefined,
} as const satisfies Record<DataType, { readonly bytes: number; readonly read: ReadAt } | undefined>;

/** Reads elements of a tensor as numbers, by their index. */
export function numberReader(dataType: DataType, bytes: Uint8Array): (index: number) => number | bigint {
  const reader = readers[dataType];
  assert(reader !== undefined, "texts are no numbers");
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  return (index) => reader.read(view, index * reader.bytes);
}
