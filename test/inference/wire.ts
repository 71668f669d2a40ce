import type {
  ModelInferRequest__Output as DecodedRequest,
  ModelInferRequest,
} from "../../lib/gen/inference/ModelInferRequest.ts";
import { decodeMessage, encodeMessage } from "../../lib/rpc/protos.ts";

const type = "inference.ModelInferRequest";

/** A request as a handler gets it: through the wire, with its raw bytes inside the receive buffer. */
export function received(request: ModelInferRequest): DecodedRequest {
  return decodeMessage<DecodedRequest>("inference", type, encodeMessage("inference", type, request));
}

/** The bytes of an array. */
export function bytesOf(array: ArrayBufferView): Buffer {
  return Buffer.from(array.buffer, array.byteOffset, array.byteLength);
}

/** Raw BYTES elements of texts. */
export function rawTexts(...texts: readonly (string | Uint8Array)[]): Buffer {
  const parts = texts.flatMap((text) => {
    const element = Buffer.from(text);
    const length = Buffer.alloc(4);
    length.writeUInt32LE(element.length);
    return [length, element];
  });
  return Buffer.concat(parts);
}

/** The numbers of a raw FP32 tensor. */
export function floatsOf(raw: Uint8Array): number[] {
  return [...new Float32Array(new Uint8Array(raw).buffer)];
}
