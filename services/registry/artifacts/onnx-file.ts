import { type Int64, integerOf, readModel } from "../../../lib/onnx/model.ts";
import { signatureOf } from "../../../lib/onnx/signature.ts";
import type { Signature } from "../../../lib/tensor.ts";

/** What the registry reads from an ONNX file. */
export interface OnnxFile {
  readonly signature: Signature;
  /** Number of elements in all initializers. */
  readonly parameterCount: number;
  /** The version of the default operator set. */
  readonly opset: number;
}

/** Reads an ONNX file; throws ARTIFACT_INVALID with the reason where the bytes are none. */
export function readOnnxFile(bytes: Uint8Array): OnnxFile {
  const model = readModel(bytes);
  const defaultSet = model.opsetImport?.find(({ domain }) => !domain || domain === "ai.onnx");
  const initializers = model.graph?.initializer ?? [];
  return {
    signature: signatureOf(model),
    parameterCount: initializers.reduce((sum, { dims }) => sum + elementCount(dims ?? []), 0),
    opset: integerOf(defaultSet?.version ?? 0),
  };
}

function elementCount(dims: readonly Int64[]): number {
  return dims.reduce<number>((product, size) => product * integerOf(size), 1);
}
