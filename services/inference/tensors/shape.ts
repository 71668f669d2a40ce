import { anyRank } from "../../../lib/onnx/signature.ts";
import { elementCount, type TensorSpec } from "../../../lib/tensor.ts";
import { tensorFault } from "./tensor-fault.ts";

/**
 * The shape of an input as numbers, checked against the signature: number of dimensions and every fixed size. Symbolic
 * sizes are the request's to choose; the runtime knows which of them have to be equal.
 *
 * Throws TENSOR_INVALID, also where the number of elements is too large to count.
 */
export function checkedShape(sizes: readonly string[], spec: TensorSpec, label: string): readonly number[] {
  if (sizes.length > rankMax) throw tensorFault(`${label} has ${sizes.length} dimensions; at most ${rankMax} work`);
  const shape = sizes.map(Number);
  const seen = `[${sizes.join(", ")}]`;
  if (shape.some((size) => size < 0)) throw tensorFault(`${label} has shape ${seen}; needed: no negative dimension`);
  if (!Number.isSafeInteger(shape.filter((size) => size > 0).reduce((product, size) => product * size, 1))) {
    throw tensorFault(`${label} has shape ${seen}: more elements than can be counted`);
  }
  if (!fits(shape, spec.shape)) {
    throw tensorFault(`${label} has shape ${seen}; needed: [${spec.shape.join(", ")}]`);
  }
  return shape;
}

/** Refuses data whose number of bytes is not that of the shape; `elementBytes` is the size of one element. */
export function checkByteCount(byteCount: number, shape: readonly number[], elementBytes: number, label: string): void {
  const needed = elementCount(shape) * elementBytes;
  if (byteCount === needed) return;
  throw tensorFault(`${label} has ${byteCount} bytes; shape [${shape.join(", ")}] needs ${needed}`);
}

function fits(shape: readonly number[], needed: TensorSpec["shape"]): boolean {
  if (needed[0] === anyRank) return true;
  if (shape.length !== needed.length) return false;
  return needed.every((size, axis) => typeof size === "string" || size === shape[axis]);
}

/** More dimensions than any operator takes. */
const rankMax = 64;
