import { randomFillSync } from "node:crypto";
import type { IncomingHttpHeaders } from "node:http2";

/**
 * Gives a call its place in a trace: the caller's `traceparent`, or where there is none that can be read, the beginning of a new trace,
 * of which nobody has recorded anything yet. A `tracestate` without its parent means nothing and goes.
 *
 * Source: W3C Trace Context, sections 3.2 and 3.3.
 */
export function withTraceParent(headers: IncomingHttpHeaders): IncomingHttpHeaders {
  const { traceparent } = headers;
  if (typeof traceparent === "string" && isTraceParent(traceparent)) return headers;
  const ids = randomIds();
  headers.traceparent = `00-${ids.slice(0, 32)}-${ids.slice(32)}-00`;
  delete headers.tracestate;
  return headers;
}

/** The id of a call's trace, for its log lines. */
export function traceIdOf({ traceparent }: IncomingHttpHeaders): string | undefined {
  return typeof traceparent === "string" ? traceparent.slice(3, 35) : undefined;
}

function isTraceParent(text: string): boolean {
  const [, version, more] =
    /^(?!ff)([0-9a-f]{2})-(?!0{32})[0-9a-f]{32}-(?!0{16})[0-9a-f]{16}-[0-9a-f]{2}(-.*)?$/.exec(text) ?? [];
  // Later versions may say more.
  return version !== undefined && (version !== "00" || more === undefined);
}

/** As hexadecimal digits: 16 bytes of a trace and 8 of its first part. Random bytes for many calls are made at once. */
function randomIds(): string {
  if (idsLeft === 0) {
    randomFillSync(idsMade);
    idsLeft = idsMade.length / idBytes;
  }
  const begin = --idsLeft * idBytes;
  return idsMade.toString("hex", begin, begin + idBytes);
}

const idBytes = 24;
const idsMade = Buffer.alloc(128 * idBytes);
let idsLeft = 0;
