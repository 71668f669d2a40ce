import type { IncomingHttpHeaders, OutgoingHttpHeaders } from "node:http2";
import { Metadata, type StatusObject } from "@grpc/grpc-js";
import { ServiceError } from "../../../lib/errors.ts";
import { statusOf } from "../../../lib/rpc/status.ts";
import { status } from "../../../lib/rpc/status-code.ts";
import { statusHeaders, statusWords } from "../../../lib/rpc/status-headers.ts";
import { withoutHopByHop } from "./crossing.ts";

/** How a call ended, as HTTP/2 carries it. */
export interface CallEnd {
  /** The gRPC status. */
  readonly code: number;
  readonly details: string;
  /** Everything that is said with it, and the status itself. */
  readonly trailers: OutgoingHttpHeaders;
  /** Whether nobody has said it: the connection was lost, or was never there. */
  readonly isLoss?: boolean;
}

/** The call of a step that is still under way is over, since nobody waits for its answer any longer. */
export class CallOver extends Error {
  readonly end: CallEnd;

  constructor(end: CallEnd) {
    super(end.details);
    this.end = end;
  }
}

/** All went well, and nothing is to be said. */
export const ok: CallEnd = { code: status.OK, details: "", trailers: { "grpc-status": "0" } };

/** Whether it says that the other side is away, or the way to it. */
export function isAway({ code }: CallEnd): boolean {
  return code === status.UNAVAILABLE;
}

/** The end that a step threw; see `statusOf`. */
export function endOfThrown(thrown: unknown): CallEnd {
  if (thrown instanceof CallOver) return thrown.end;
  const { code, details, metadata } = statusOf(thrown);
  return { code, details, trailers: statusHeaders({ code, details, metadata }) };
}

/** The status of that end. */
export function codeOfThrown(thrown: unknown): number {
  if (thrown instanceof CallOver) return thrown.end.code;
  return thrown instanceof ServiceError ? status[thrown.status] : status.INTERNAL;
}

/** The end of a call that was lost on the way, in the words of the connection. */
export function endOfLoss(details: string): CallEnd {
  const code = status.UNAVAILABLE;
  return { code, details, trailers: statusWords(code, details), isLoss: true };
}

/** The end that another server says in its trailers, which may be its headers. Who speaks no gRPC is understood by its HTTP status. */
export function endOfHeaders(headers: IncomingHttpHeaders): CallEnd {
  const said = headers["grpc-status"];
  const code = Number(said);
  if (typeof said === "string" && code >= 0 && code <= status.UNAUTHENTICATED) {
    return { code, details: textOf(headers["grpc-message"]), trailers: withoutHopByHop(headers) };
  }
  const meant = statusOfHttp.get(Number(headers[":status"])) ?? status.UNKNOWN;
  const details = `the answer is not gRPC: HTTP status ${headers[":status"] ?? "none"}`;
  return { code: meant, details, trailers: statusWords(meant, details) };
}

/** For whoever reads statuses as grpc-js gives them. */
export function statusObjectOf({ code, details, trailers }: CallEnd): StatusObject {
  return { code, details, metadata: Metadata.fromHttp2Headers(trailers as IncomingHttpHeaders) };
}

/** A text that was percent-encoded; as it stands where it was not. */
function textOf(said: string | string[] | undefined): string {
  const text = String(said ?? "");
  if (!text.includes("%")) return text;
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
}

/** Source: https://github.com/grpc/grpc/blob/master/doc/http-grpc-status-mapping.md */
const statusOfHttp = new Map<number, status>([
  [400, status.INTERNAL],
  [401, status.UNAUTHENTICATED],
  [403, status.PERMISSION_DENIED],
  [404, status.UNIMPLEMENTED],
  [429, status.UNAVAILABLE],
  [502, status.UNAVAILABLE],
  [503, status.UNAVAILABLE],
  [504, status.UNAVAILABLE],
]);
