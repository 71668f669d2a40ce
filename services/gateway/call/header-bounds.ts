import type { IncomingHttpHeaders } from "node:http2";
import { ServiceError } from "../../../lib/errors.ts";

/**
 * Refuses a call whose headers would not cross: servers of Node take 128 of 64 KiB, those that a gateway adds and those of HTTP/2 itself
 * among them, and reset calls that have more, which looks as if they were lost. Throws REQUEST_INVALID.
 */
export function checkHeaders(headers: IncomingHttpHeaders): void {
  let count = 0;
  let bytes = 0;
  for (const key in headers) {
    const value = headers[key] ?? "";
    const each = typeof value === "string" ? 1 : value.length;
    count += each;
    bytes += each * (key.length + overheadBytes) + (typeof value === "string" ? value.length : lengthOf(value));
  }
  if (count <= countMax && bytes <= bytesMax) return;
  throw new ServiceError(
    "REQUEST_INVALID",
    `the call has ${count} headers of ${bytes} bytes; needed: at most ${countMax} of ${bytesMax}`,
  );
}

function lengthOf(values: readonly string[]): number {
  return values.reduce((sum, { length }) => sum + length, 0);
}

/** With those of HTTP/2 itself. */
const countMax = 110;
const bytesMax = 48 * 1024;

/** What each counts besides its key and value. Source: RFC 9113, section 6.5.2. */
const overheadBytes = 32;
