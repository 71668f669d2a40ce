import type { InferTensorContents } from "../../lib/gen/inference/InferTensorContents.ts";
import type { DataType } from "../../lib/tensor.ts";
import { bytesOf, rawTexts } from "./wire.ts";

/** Elements of one data type as typed contents, and their raw bytes. */
interface TypedElements {
  readonly contentsOf: (begin: number, end: number) => InferTensorContents;
  readonly rawOf: (begin: number, end: number) => Buffer;
}

function typed<Element>(
  elements: readonly Element[],
  contentsOf: (elements: Element[]) => InferTensorContents,
  rawOf: (elements: Element[]) => Buffer,
): TypedElements {
  return {
    contentsOf: (begin, end) => contentsOf(elements.slice(begin, end)),
    rawOf: (begin, end) => rawOf(elements.slice(begin, end)),
  };
}

const ints = (intContents: number[]) => ({ intContents });
const uints = (uintContents: number[]) => ({ uintContents });
const texts = ["", "häß", "🙂", "x".repeat(300)];

/** Four elements of every data type that has typed contents, the extremes among them. */
export const typedElements: Readonly<Record<Exclude<DataType, "FP16" | "BF16">, TypedElements>> = {
  BOOL: typed(
    [true, false, false, true],
    (boolContents) => ({ boolContents }),
    (all) => Buffer.from(all.map(Number)),
  ),
  INT8: typed([-128, 127, 0, -1], ints, (all) => bytesOf(Int8Array.from(all))),
  INT16: typed([-32_768, 32_767, 0, -1], ints, (all) => bytesOf(Int16Array.from(all))),
  INT32: typed([-(2 ** 31), 2 ** 31 - 1, 0, -1], ints, (all) => bytesOf(Int32Array.from(all))),
  INT64: typed(
    [-(2n ** 63n), 2n ** 63n - 1n, 0n, -1n],
    (all) => ({ int64Contents: all.map(String) }),
    (all) => bytesOf(BigInt64Array.from(all)),
  ),
  UINT8: typed([255, 0, 1, 128], uints, (all) => bytesOf(Uint8Array.from(all))),
  UINT16: typed([65_535, 0, 1, 256], uints, (all) => bytesOf(Uint16Array.from(all))),
  UINT32: typed([2 ** 32 - 1, 0, 1, 2 ** 31], uints, (all) => bytesOf(Uint32Array.from(all))),
  UINT64: typed(
    [2n ** 64n - 1n, 0n, 1n, 2n ** 63n],
    (all) => ({ uint64Contents: all.map(String) }),
    (all) => bytesOf(BigUint64Array.from(all)),
  ),
  FP32: typed(
    [-0, Number.POSITIVE_INFINITY, 1.401298464324817e-45, 3.4028234663852886e38],
    (fp32Contents) => ({ fp32Contents }),
    (all) => bytesOf(Float32Array.from(all)),
  ),
  FP64: typed(
    [-0, Number.NEGATIVE_INFINITY, Number.MIN_VALUE, Number.MAX_VALUE],
    (fp64Contents) => ({ fp64Contents }),
    (all) => bytesOf(Float64Array.from(all)),
  ),
  BYTES: typed(
    texts,
    (all) => ({ bytesContents: all.map((text) => Buffer.from(text)) }),
    (all) => rawTexts(...all),
  ),
};
