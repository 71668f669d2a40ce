import type { IncomingHttpHeaders as Http1Headers } from "node:http";
import type { IncomingHttpHeaders, OutgoingHttpHeaders } from "node:http2";
import { ServiceError } from "../../../lib/errors.ts";

/**
 * The headers of a request as a call carries them: all but those that are about HTTP. Throws REQUEST_INVALID for one that is no
 * printable ASCII, as it would be lost on the way.
 */
export function callHeadersOf(headers: Http1Headers): IncomingHttpHeaders {
  const crossing: IncomingHttpHeaders = {};
  for (const [key, value] of Object.entries(headers)) {
    if (value === undefined || isOfHttp(key)) continue;
    if (!/^[ -~]*$/.test(String(value))) {
      throw new ServiceError(
        "REQUEST_INVALID",
        `the header ${key} has characters that are no printable ASCII; needed: none`,
      );
    }
    crossing[key] = value;
  }
  return crossing;
}

/** What of an answer's headers the caller of HTTP sees. */
export function answerHeadersOf(headers: OutgoingHttpHeaders): Record<string, string | string[]> {
  const crossing: Record<string, string | string[]> = {};
  for (const [key, value] of Object.entries(headers)) {
    if (value !== undefined && !isOfHttp(key) && key !== "grpc-timeout") crossing[key] = value as string | string[];
  }
  return crossing;
}

/** Of gRPC's own headers only the deadline crosses: HTTP has none for it. */
function isOfHttp(key: string): boolean {
  if (key.startsWith("grpc-")) return key !== "grpc-timeout";
  return /^(:|accept|access-control-|content-|if-|sec-)/.test(key) || ofHttp.has(key);
}

const ofHttp: ReadonlySet<string> = new Set([
  "cache-control",
  "connection",
  "cookie",
  "date",
  "dnt",
  "expect",
  "host",
  "inference-header-content-length",
  "keep-alive",
  "last-event-id",
  "origin",
  "pragma",
  "proxy-connection",
  "range",
  "referer",
  "te",
  "trailer",
  "transfer-encoding",
  "upgrade",
  "upgrade-insecure-requests",
  "user-agent",
]);
