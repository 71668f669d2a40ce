import { ServiceError } from "../../../lib/errors.ts";
import { refuseExternalData } from "../../../lib/onnx/external-data.ts";
import { type Int64, integerOf, type ModelProto, readModel } from "../../../lib/onnx/model.ts";
import { signatureOf } from "../../../lib/onnx/signature.ts";
import type { Signature } from "../../../lib/tensor.ts";

/** Largest ONNX file in bytes: a protobuf message is smaller than 2 GiB. Larger models keep weights outside of it. */
export const onnxBytesMax = 2 ** 31 - 1;

/** What the registry reads from an ONNX file. */
export interface OnnxFile {
  readonly signature: Signature;
  /** Number of elements in all initializers. */
  readonly parameterCount: number;
  /** The version of the default operator set; 0 where the file asks for others only. */
  readonly opset: number;
}

/** Reads an ONNX file; throws ARTIFACT_INVALID with the reason where the bytes are none. */
export function readOnnxFile(bytes: Uint8Array): OnnxFile {
  const model = readModel(bytes);
  refuseExternalData(model);
  return { signature: signatureOf(model), parameterCount: parameterCountOf(model), opset: opsetOf(model) };
}

function parameterCountOf({ graph }: ModelProto): number {
  let sum = 0;
  for (const { name, dims = [] } of graph?.initializer ?? []) {
    const count = dims.reduce<number>((product, size) => product * exact(size, `a dimension of ${name}`, 0), 1);
    sum += count;
    if (!Number.isSafeInteger(sum)) throw invalid(`its initializers up to ${name} have ${sum} elements`);
  }
  return sum;
}

function opsetOf({ opsetImport = [] }: ModelProto): number {
  const defaultSet = opsetImport.find(({ domain }) => !domain || domain === "ai.onnx");
  const opset = defaultSet === undefined ? 0 : exact(defaultSet.version ?? 0, "its operator set", 1);
  if (opset >= 2 ** 31) throw invalid(`its operator set is ${opset}`);
  return opset;
}

function exact(value: Int64, what: string, min: number): number {
  let number: number;
  try {
    number = integerOf(value);
  } catch (cause) {
    throw invalid(`${what} is beyond 2^53`, cause);
  }
  if (number < min) throw invalid(`${what} is ${number}; needed: at least ${min}`);
  return number;
}

function invalid(why: string, cause?: unknown): ServiceError {
  return new ServiceError("ARTIFACT_INVALID", `not an ONNX model: ${why}`, { cause });
}
