import type { ModelInferRequest__Output as Request } from "../../../lib/gen/inference/ModelInferRequest.ts";
import type { ModelInferResponse } from "../../../lib/gen/inference/ModelInferResponse.ts";
import type { Tensor } from "../../../lib/tensor.ts";

/** The response to a request: outputs in their order, always as raw bytes, which are not copied. */
export function encodeResponse(
  request: Request,
  version: number,
  outputs: readonly Tensor[],
  parameters: NonNullable<ModelInferResponse["parameters"]> = {},
): ModelInferResponse {
  return {
    modelName: request.modelName,
    modelVersion: String(version),
    id: request.id,
    parameters,
    outputs: outputs.map(({ name, dataType, shape }) => ({ name, datatype: dataType, shape: [...shape] })),
    rawOutputContents: outputs.map(({ bytes }) => Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength)),
  };
}
