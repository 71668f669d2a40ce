import { ServiceError } from "../errors.ts";
import type { ModelProto } from "./model.ts";

/** `TensorProto.DataLocation.EXTERNAL` of the ONNX format. */
const externalLocation = 1;

/**
 * Refuses a model that keeps tensors in other files, anywhere in it: initializers, attributes, subgraphs, functions. The
 * runtime would read them from wherever it runs, past every digest. Throws ARTIFACT_INVALID that names the tensor.
 */
export function refuseExternalData(model: ModelProto): void {
  const waiting: object[] = [model];
  for (let part = waiting.pop(); part !== undefined; part = waiting.pop()) {
    const { dataLocation, externalData, name } = part as ExternalTensor;
    if (dataLocation === externalLocation || (Array.isArray(externalData) && externalData.length > 0)) {
      const message = `the tensor ${JSON.stringify(name ?? "")} keeps its data in another file; needed: all data in the ONNX file`;
      throw new ServiceError("ARTIFACT_INVALID", message);
    }
    for (const value of Object.values(part)) waiting.push(...partsIn(value));
  }
}

interface ExternalTensor {
  readonly name?: string;
  readonly dataLocation?: number;
  readonly externalData?: unknown;
}

/** The messages that a field holds; numbers, texts and bytes hold none. */
function partsIn(value: unknown): readonly object[] {
  if (typeof value !== "object" || value === null || ArrayBuffer.isView(value)) return [];
  if (!Array.isArray(value)) return [value];
  return typeof value[0] === "object" ? value.filter((entry) => entry !== null && !ArrayBuffer.isView(entry)) : [];
}
