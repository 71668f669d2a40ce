import type { ModelInferResponse__Output } from "../../../lib/gen/inference/ModelInferResponse.ts";
import { decodeMessage } from "../../../lib/rpc/protos.ts";
import { type DataType, elementBytes, type Tensor } from "../../../lib/tensor.ts";
import { isWhole, type Outputs } from "./compare-outputs.ts";

/**
 * The outputs of a ModelInferResponse, whose elements are views of its bytes. Undefined where it is none, or is not as nodes answer: with
 * all elements in `raw_output_contents`.
 */
export function outputsOf(message: Uint8Array): Outputs | undefined {
  let response: ModelInferResponse__Output;
  try {
    response = decodeMessage(
      "inference",
      "inference.ModelInferResponse",
      Buffer.from(message.buffer, message.byteOffset, message.byteLength),
    );
  } catch {
    return undefined;
  }
  const { outputs, rawOutputContents } = response;
  if (outputs.length !== rawOutputContents.length) return undefined;
  const tensors = outputs.map(({ name, datatype, shape }, index) => {
    return { name, dataType: datatype as DataType, shape: shape.map(Number), bytes: rawOutputContents[index]! };
  });
  const areReadable = tensors.every((tensor) => tensor.dataType in elementBytes && isWhole(tensor));
  return areReadable ? new Map(tensors.map((tensor): [string, Tensor] => [tensor.name, tensor])) : undefined;
}
