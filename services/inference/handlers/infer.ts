import type { ModelInferRequest__Output as Request } from "../../../lib/gen/inference/ModelInferRequest.ts";
import type { ModelInferResponse as Response } from "../../../lib/gen/inference/ModelInferResponse.ts";
import type { ReplicaSet } from "../replicas/replica-set.ts";
import { readyVersion } from "../replicas/resolve.ts";
import type { RequestCount } from "../request-count.ts";
import { classCountsOf, classified } from "../tensors/classification.ts";
import { decodeRequest } from "../tensors/decode.ts";
import { encodeResponse } from "../tensors/encode.ts";
import { type InferCall, streamHandler } from "./stream.ts";
import { versionReference } from "./version-reference.ts";

/** ModelInfer and ModelStreamInfer. */
export function inferHandlers(replicas: Pick<ReplicaSet, "table">, requests: RequestCount) {
  /** The life of a request on this node. */
  const infer = async (request: Request, call: InferCall): Promise<Response> => {
    const reference = versionReference(request.modelVersion, call);
    const { replica, version, signature } = readyVersion(replicas.table, request.modelName, reference);
    const job = decodeRequest(request, signature);
    const classCounts = classCountsOf(request, signature);
    const outputs = await requests.during(() => replica.run(job, call));
    return encodeResponse(request, version, classified(outputs, classCounts, signature));
  };
  return {
    ModelInfer: infer,
    ModelStreamInfer: streamHandler(async function* (request, call) {
      yield await infer(request, call);
    }),
  };
}
