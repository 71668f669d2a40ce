import type { ServiceError } from "../../../lib/errors.ts";
import { framed } from "../../../lib/rpc/framing.ts";
import { encodeMessage } from "../../../lib/rpc/protos.ts";
import { statusOf } from "../../../lib/rpc/status.ts";
import { readRequestId } from "../model-ref.ts";

/** The answer to a request of a stream that cannot be forwarded, with the bytes before it: the fault's text, and the request's id. */
export function refusedInStream(request: Uint8Array, refusal: ServiceError): Buffer {
  return framed(
    encodeMessage("inference", "inference.ModelStreamInferResponse", {
      errorMessage: statusOf(refusal).details,
      inferResponse: { id: readRequestId(request) },
    }),
  );
}
