import { ServiceError } from "../../../lib/errors.ts";
import { remoteFaultOf } from "../../../lib/rpc/status.ts";
import { type CallEnd, statusObjectOf } from "../call/call-end.ts";

/** The fault of a stream that a drain ends, which says from where on to go on in the next one, if that is known. */
export function drained(answeredRequests?: number): ServiceError {
  if (answeredRequests === undefined) {
    const text = "a node of the stream is shutting down; open the stream again and send what is not answered";
    return new ServiceError("DRAINING", text, { retryDelayMs: 100 });
  }
  const text =
    `the gateway is shutting down; the first ${answeredRequests} requests of the stream are answered: ` +
    "open it again and go on with the next one";
  const metadata = { answeredRequests: String(answeredRequests) };
  return new ServiceError("DRAINING", text, { metadata, retryDelayMs: 100 });
}

/** How many requests of its stream a node has answered before it ended that in a drain; undefined where it says nothing of the kind. */
export function answeredBeforeDrain(end: CallEnd): number | undefined {
  try {
    const { reason, metadata } = remoteFaultOf(statusObjectOf(end));
    return reason === "DRAINING" ? Number(metadata.answeredRequests) : undefined;
  } catch {
    // Details that are no message of ours are no such word.
    return undefined;
  }
}
