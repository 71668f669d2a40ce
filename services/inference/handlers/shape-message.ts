import type { TensorSpec } from "../../../lib/tensor.ts";

/** A shape as the protocol has it: -1 stands for every size that a request chooses. */
export function shapeOf(shape: TensorSpec["shape"]): number[] {
  return shape.map((size) => (typeof size === "number" ? size : -1));
}
