import type { DataType } from "../../../lib/tensor.ts";
import type { DifferenceKind } from "./difference.ts";

/** How another element type is called: by whether it holds every value of the old one, or the old one every value of it. */
export function typeChangeOf(before: DataType, after: DataType): DifferenceKind & `TYPE_${string}` {
  if (holds(after, before)) return "TYPE_WIDENED";
  return holds(before, after) ? "TYPE_NARROWED" : "TYPE_CHANGED";
}

/** The next wider types: each holds every value of the type exactly, and so do all that are wider than it. */
const wider = {
  BOOL: [],
  UINT8: ["UINT16", "INT16", "FP16", "BF16"],
  UINT16: ["UINT32", "INT32", "FP32"],
  UINT32: ["UINT64", "INT64", "FP64"],
  UINT64: [],
  INT8: ["INT16", "FP16", "BF16"],
  INT16: ["INT32", "FP32"],
  INT32: ["INT64", "FP64"],
  INT64: [],
  FP16: ["FP32"],
  BF16: ["FP32"],
  FP32: ["FP64"],
  FP64: [],
  BYTES: [],
} as const satisfies Record<DataType, readonly DataType[]>;

function holds(wide: DataType, narrow: DataType): boolean {
  return wider[narrow].some((next) => next === wide || holds(wide, next));
}
