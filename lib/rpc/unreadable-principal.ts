import type { IncomingHttpHeaders } from "node:http2";
import { principalKey } from "./call-context.ts";

/** The metadata key of a call whose principal could not be read; its value means nothing. */
export const unreadablePrincipalKey = `${principalKey}-unreadable`;

/**
 * Marks a call whose principal is no printable ASCII. Must see its headers before grpc-js, which leaves such a value out of the
 * metadata, so that the call would seem to have none.
 */
export function markUnreadablePrincipal(headers: IncomingHttpHeaders): void {
  const principal = headers[principalKey];
  if (principal === undefined || /^[ -~]*$/.test(String(principal))) return;
  delete headers[principalKey];
  headers[unreadablePrincipalKey] = "1";
}
