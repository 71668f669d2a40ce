import type { IncomingHttpHeaders, OutgoingHttpHeaders } from "node:http2";

/** What crosses from one connection to another: everything but what belongs to one connection. */
export function withoutHopByHop(headers: IncomingHttpHeaders): OutgoingHttpHeaders {
  const crossing: OutgoingHttpHeaders = {};
  for (const key in headers) {
    // Pseudo-headers begin with a colon.
    if (key.charCodeAt(0) !== 0x3a && !hopByHop.has(key)) crossing[key] = headers[key];
  }
  return crossing;
}

/** The key that tells the caller which node answered. */
export const nodeKey = "amaas-node";

/** HTTP's own; how messages are encoded crosses, since they do as they are. */
const hopByHop: ReadonlySet<string> = new Set([
  "accept-encoding",
  "connection",
  "content-length",
  "content-type",
  "date",
  "grpc-timeout",
  "host",
  "http2-settings",
  "keep-alive",
  "proxy-connection",
  "te",
  "trailer",
  "transfer-encoding",
  "upgrade",
  "user-agent",
]);
