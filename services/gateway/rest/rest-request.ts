import type { FastifyReply, FastifyRequest } from "fastify";
import { ServiceError } from "../../../lib/errors.ts";
import type { HeldBytes } from "../admission/request-bytes.ts";

/** A request, the way back, and what it holds, which is counted out when it is over. */
export interface RestRequest {
  readonly request: FastifyRequest;
  readonly reply: FastifyReply;
  readonly held: HeldBytes;
}

/** The fault of a request whose path nobody answers. */
export function unknownPath({ method, url }: FastifyRequest): ServiceError {
  const path = JSON.stringify(url.slice(0, 200));
  return new ServiceError("PATH_UNKNOWN", `there is no ${method} ${path}; /openapi.json lists what there is`);
}

/** The fault of a request whose path has other methods only, which its reply names. */
export function otherMethods(
  { request, reply }: Pick<RestRequest, "request" | "reply">,
  allowed: string,
): ServiceError {
  const { method, url } = request;
  const [path = ""] = url.split("?");
  reply.header("allow", allowed);
  return new ServiceError("METHOD_NOT_ALLOWED", `${path.slice(0, 200)} has no ${method}; needed: one of ${allowed}`);
}
