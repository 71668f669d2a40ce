import type { OutgoingHttpHeaders } from "node:http2";
import type { StatusObject } from "@grpc/grpc-js";

/** A status as the end of a call says it, with all that is said beside it. */
export function statusHeaders({ code, details, metadata }: StatusObject): OutgoingHttpHeaders {
  return { ...metadata.toHttp2Headers(), ...statusWords(code, details) };
}

/** A status as the end of a call says it. */
export function statusWords(code: number, details: string): OutgoingHttpHeaders {
  return details === ""
    ? { "grpc-status": String(code) }
    : { "grpc-status": String(code), "grpc-message": escaped(details) };
}

/** Percent-encoding of gRPC: all that is not printable ASCII, byte by byte. */
function escaped(text: string): string {
  if (/^[ -$&-~]*$/.test(text)) return text;
  return [...Buffer.from(text, "utf8")]
    .map((byte) =>
      byte >= 0x20 && byte <= 0x7e && byte !== 0x25
        ? String.fromCharCode(byte)
        : `%${byte.toString(16).toUpperCase().padStart(2, "0")}`,
    )
    .join("");
}
