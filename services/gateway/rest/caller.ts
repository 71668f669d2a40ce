import type { IncomingHttpHeaders } from "node:http2";
import type { FastifyReply, FastifyRequest } from "fastify";
import { withTraceParent } from "../call/trace-parent.ts";
import { callHeadersOf } from "./http-headers.ts";

/** Who has sent a request by HTTP. */
export interface Caller {
  /** As gRPC would have them. */
  readonly headers: IncomingHttpHeaders;
  readonly requestId: string;
  /** Calls back when the caller goes away before the answer is out; the answer takes the listener back. */
  readonly onGone: (listener: () => void) => () => void;
}

/** The caller of a request; throws REQUEST_INVALID for headers that no call can carry. */
export function callerOf(request: FastifyRequest, { raw }: FastifyReply): Caller {
  return {
    headers: withTraceParent(callHeadersOf(request.headers)),
    requestId: request.id,
    onGone: (listener) => {
      // A reply that waits for those before it on its connection does not hear of the end of that.
      const { socket } = request.raw;
      const leave = () => {
        if (!raw.writableFinished) listener();
      };
      if (socket.destroyed) leave();
      else socket.once("close", leave);
      return () => socket.off("close", leave);
    },
  };
}
