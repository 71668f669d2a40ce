import type { OutgoingHttpHeaders } from "node:http2";
import { requestIdKey } from "../../../lib/rpc/call-context.ts";
import { timeoutText } from "../../../lib/rpc/timeout.ts";
import type { Call } from "../call/call.ts";
import { withoutHopByHop } from "../call/crossing.ts";

/** The headers of a call as it is forwarded now: those of the caller, some of our own, and the time that is left. */
export function headOf(call: Call, own: OutgoingHttpHeaders = {}): OutgoingHttpHeaders {
  const head = withoutHopByHop(call.headers);
  Object.assign(head, own);
  head[requestIdKey] = call.requestId;
  head[":method"] = "POST";
  head[":path"] = call.path;
  head["content-type"] = "application/grpc+proto";
  head.te = "trailers";
  if (call.deadlineMs < Infinity) head["grpc-timeout"] = timeoutText(call.deadlineMs - Date.now());
  return head;
}
