import type { ModelInferRequest__Output as Request } from "../../../lib/gen/inference/ModelInferRequest.ts";
import type { ModelInferResponse as Response } from "../../../lib/gen/inference/ModelInferResponse.ts";
import type { CallContext } from "../../../lib/rpc/call-context.ts";
import type { Tensor } from "../../../lib/tensor.ts";
import type { CallLimits } from "../batching/pending-request.ts";
import { failureKindOf } from "../batching/pool-observer.ts";
import type { InferenceConfig } from "../config.ts";
import type { ReplicaSet } from "../replicas/replica-set.ts";
import type { ReadyVersion } from "../replicas/resolve.ts";
import type { RequestCount } from "../request-count.ts";
import { classCountsOf, classified } from "../tensors/classification.ts";
import { decodeRequest } from "../tensors/decode.ts";
import { checkOutputBytes, encodeResponse } from "../tensors/encode.ts";
import { messageBytes } from "../tensors/message-bytes.ts";
import { wantsEmptyFinalResponse } from "../tensors/parameters.ts";
import type { RequestTrace } from "../tracing/request-trace.ts";
import type { Tracing } from "../tracing/tracing.ts";
import { modelReference } from "./model-reference.ts";
import { overflowFault } from "./overflow.ts";
import { finalResponse, streamHandler } from "./stream.ts";

/** ModelInfer and ModelStreamInfer. */
export function inferHandlers(
  replicas: Pick<ReplicaSet, "ready">,
  requests: RequestCount,
  tracing: Tracing,
  { overflowStatus, messageBytesMax }: Pick<InferenceConfig, "overflowStatus" | "messageBytesMax">,
) {
  const readyFor = (request: Request, call: CallLimits) =>
    replicas.ready(request.modelName, request.modelVersion, call, () => messageBytes(request));
  const asked = (request: Request, { replica, version, signature }: ReadyVersion, arrivalMs: number | undefined) => {
    const { decoded, classCounts } = counted(replica, () => ({
      decoded: decodeRequest(request, signature),
      classCounts: classCountsOf(request, signature),
    }));
    const encoded = (outputs: readonly Tensor[], parameters?: Response["parameters"]) => {
      const wanted = classified(outputs, classCounts, signature);
      checkOutputBytes(request.modelName, wanted, messageBytesMax);
      return encodeResponse(request, version, wanted, parameters);
    };
    const trace = tracing.begin(request, version, arrivalMs);
    const job = trace === undefined ? decoded : { ...decoded, trace };
    return { replica, job, trace, encoded };
  };
  /** The life of a request on this node. */
  const infer = async (request: Request, call: CallLimits): Promise<Response> => {
    const { arrivalMs } = tracing;
    let trace: RequestTrace | undefined;
    let isAnswered = false;
    try {
      requests.begin();
      const ready = readyFor(request, call);
      // Only a version that is loaded on demand is waited for.
      const life = asked(request, ready instanceof Promise ? await ready : ready, arrivalMs);
      trace = life.trace;
      const response = life.encoded(await life.replica.run(life.job, call));
      isAnswered = true;
      return response;
    } catch (failure) {
      throw overflowFault(failure, overflowStatus);
    } finally {
      requests.end(isAnswered);
      trace?.end();
    }
  };
  /** The life of one that has many responses. */
  async function* inferMany(request: Request, call: CallLimits): AsyncGenerator<Response> {
    const { arrivalMs } = tracing;
    const { replica, job, trace, encoded } = asked(request, await readyFor(request, call), arrivalMs);
    const endsEmpty = counted(replica, () => wantsEmptyFinalResponse(request));
    try {
      for await (const { outputs, isLast } of requests.duringAll(replica.responses(job, call))) {
        yield encoded(outputs, finalResponse(isLast && !endsEmpty));
      }
    } catch (failure) {
      throw overflowFault(failure, overflowStatus);
    } finally {
      trace?.end();
    }
    if (endsEmpty) yield encoded([], finalResponse(true));
  }
  return {
    ModelInfer: (request: Request, { deadlineMs, headers, cancellation }: CallContext) =>
      infer(routed(request, { headers }), { deadlineMs, signal: cancellation }),
    ModelStreamInfer: streamHandler(async function* (unrouted, { headers, ...call }) {
      const request = routed(unrouted, { headers });
      const { replica } = await readyFor(request, call);
      if (replica.isDecoupled) yield* inferMany(request, call);
      else yield await infer(request, call);
    }),
  };
}

/** The request, for what the call is for. */
function routed(request: Request, call: Pick<CallContext, "headers">): Request {
  const { model, version } = modelReference({ model: request.modelName, version: request.modelVersion }, call);
  return { ...request, modelName: model, modelVersion: version };
}

/** What is made of a request to a replica; that it cannot be made counts among the failures of the version. */
function counted<Made>({ statistics }: ReadyVersion["replica"], make: () => Made): Made {
  try {
    return make();
  } catch (refusal) {
    statistics.failed(failureKindOf(refusal, false), 0);
    throw refusal;
  }
}
