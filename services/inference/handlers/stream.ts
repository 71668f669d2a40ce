import { ServiceError } from "../../../lib/errors.ts";
import type { ModelInferRequest__Output as Request } from "../../../lib/gen/inference/ModelInferRequest.ts";
import type { ModelInferResponse as Response } from "../../../lib/gen/inference/ModelInferResponse.ts";
import type { ModelStreamInferResponse as StreamResponse } from "../../../lib/gen/inference/ModelStreamInferResponse.ts";
import type { CallContext } from "../../../lib/rpc/call-context.ts";
import type { BidiHandler } from "../../../lib/rpc/handlers.ts";
import { statusOf } from "../../../lib/rpc/status.ts";
import type { CallLimits } from "../batching/pending-request.ts";
import { type ResponseFacts, StreamWindow, type WindowBounds } from "./stream-window.ts";

/** What a request needs of the call that it came in. */
export interface InferCall extends CallLimits, Pick<CallContext, "headers"> {}

/** All responses to one request, in their order. */
export type Respond = (request: Request, call: InferCall) => AsyncIterable<Response>;

/**
 * ModelStreamInfer: the requests of a stream run side by side and are answered in their order, those of decoupled models as
 * their responses come. What fails is answered with an `error_message` and the request's id, and the stream goes on; where the
 * metadata has `triton_grpc_error: true` the fault is the status of the stream, which ends with it.
 *
 * Requests are read only while those in flight stay within the bounds, so that a caller who reads slowly is read slowly. A
 * drain answers what was taken, then ends the stream with DRAINING, which says how many requests that were.
 */
export function streamHandler(
  respond: Respond,
  bounds: WindowBounds = windowBounds,
): BidiHandler<Request, StreamResponse> {
  return async function* answer(requests, call) {
    const window = new StreamWindow(bounds, responseFacts, call.signal);
    const stop = () => window.close();
    call.draining.addEventListener("abort", stop, { once: true });
    let failure: unknown;
    // Left behind where the stream ends first: whoever waits for the next request then waits for nothing.
    void readAll(requests, call, window, respond)
      .catch((thrown: unknown) => {
        failure = thrown;
      })
      .finally(stop);
    try {
      yield* window.answers();
    } finally {
      call.draining.removeEventListener("abort", stop);
      window.abandon();
    }
    if (failure !== undefined) throw failure;
    if (call.draining.aborted) throw drained(window.addedCount);
  };
}

/** The parameters of a response to a request that may have many. */
export function finalResponse(isFinal: boolean): NonNullable<Response["parameters"]> {
  return { [finalResponseKey]: { boolParam: isFinal } };
}

const finalResponseKey = "triton_final_response";

/** Of the requests of one stream that are not answered yet. */
const windowBounds: WindowBounds = { requestsMax: 64, bytesMax: 64 * 1024 ** 2 };

async function readAll(
  requests: AsyncIterable<Request>,
  { deadlineMs, headers, log }: CallContext,
  window: StreamWindow<StreamResponse>,
  respond: Respond,
): Promise<void> {
  const call = { deadlineMs, headers, signal: window.signal };
  for await (const request of requests) {
    if (window.isClosed) return;
    window.add(
      bytesOf(request.rawInputContents),
      streamed(request, () => respond(request, call), { headers, log }),
    );
    await window.room();
  }
}

async function* streamed(
  { id }: Request,
  respond: () => AsyncIterable<Response>,
  { headers, log }: Pick<CallContext, "headers" | "log">,
): AsyncGenerator<StreamResponse> {
  try {
    for await (const inferResponse of respond()) yield { inferResponse };
  } catch (failure) {
    if (headers.triton_grpc_error === "true") throw failure;
    if (!(failure instanceof ServiceError)) log.error({ error: failure }, "a request of a stream failed");
    yield { errorMessage: statusOf(failure).details, inferResponse: { id } };
  }
}

const responseFacts: ResponseFacts<StreamResponse> = {
  bytes: ({ inferResponse }) => bytesOf((inferResponse?.rawOutputContents ?? []) as Buffer[]),
  // A request with many responses holds up nobody else's.
  waitsInOrder: ({ inferResponse }) => inferResponse?.parameters?.[finalResponseKey] === undefined,
};

function bytesOf(contents: readonly Buffer[]): number {
  return contents.reduce((sum, { byteLength }) => sum + byteLength, 0);
}

function drained(requestCount: number): ServiceError {
  const message =
    `the server is shutting down; the first ${requestCount} requests of the stream are answered: ` +
    "open it again and go on with the next one";
  const metadata = { answeredRequests: String(requestCount) };
  return new ServiceError("DRAINING", message, { metadata, retryDelayMs: 100 });
}
