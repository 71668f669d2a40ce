import { ServiceError } from "../../../lib/errors.ts";
import type { ModelInferRequest__Output as Request } from "../../../lib/gen/inference/ModelInferRequest.ts";
import type { ModelInferResponse } from "../../../lib/gen/inference/ModelInferResponse.ts";
import type { Tensor } from "../../../lib/tensor.ts";
import { quoted } from "./tensor-fault.ts";

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

/** Throws RESPONSE_TOO_LARGE where no message may be as large as the outputs: writing one only to refuse it would stop the node for seconds. */
export function checkOutputBytes(model: string, outputs: readonly Tensor[], messageBytesMax: number): void {
  const bytes = outputs.reduce((sum, tensor) => sum + tensor.bytes.byteLength, 0);
  if (bytes <= messageBytesMax) return;
  const message = `the outputs of model ${quoted(model)} have ${bytes} bytes; needed: at most ${messageBytesMax} (AMAAS_MESSAGE_BYTES_MAX)`;
  throw new ServiceError("RESPONSE_TOO_LARGE", message);
}
