import { type CallEnd, statusObjectOf } from "../call/call-end.ts";
import { restType } from "./contracts.ts";
import { isObject, type JsonValue, jsonText } from "./json-text.ts";
import { jsonOfMessage, protoStyle } from "./proto-json-write.ts";

/** An answer that says why there is none. */
export interface FaultReply {
  readonly status: number;
  readonly headers: Readonly<Record<string, string>>;
  /** `google.rpc.Status` as JSON, with its message once more as "error", where clients of Triton read it. */
  readonly body: string;
}

/** Says the end of a call that failed in HTTP. */
export function faultReply(end: CallEnd): FaultReply {
  const { code, details: message } = end;
  const details = detailsOf(end);
  const headers: Record<string, string> = {};
  const delay = detailNamed(details, "RetryInfo")?.get("retryDelay");
  if (typeof delay === "string") headers["retry-after"] = String(Math.max(1, Math.ceil(Number.parseFloat(delay))));
  const reason = detailNamed(details, "ErrorInfo")?.get("reason");
  const body = new Map<string, JsonValue>([
    ["code", code],
    ["message", message],
    ["details", details],
    ["error", message],
  ]);
  return { status: statusOfReason.get(String(reason)) ?? httpStatuses[code] ?? 500, headers, body: jsonText(body) };
}

function detailsOf(end: CallEnd): readonly JsonValue[] {
  const bytes = statusObjectOf(end).metadata.get("grpc-status-details-bin")[0];
  if (!(bytes instanceof Buffer)) return [];
  const type = restType("google.rpc.Status");
  try {
    const said = jsonOfMessage(type, type.decode(bytes), protoStyle);
    return isObject(said) ? (said.get("details") as readonly JsonValue[]) : [];
  } catch {
    // Another server's details need not be a message of ours; the status says the rest.
    return [];
  }
}

function detailNamed(details: readonly JsonValue[], name: string) {
  return details.filter(isObject).find((detail) => detail.get("@type") === `type.googleapis.com/google.rpc.${name}`);
}

/** By the numbers of gRPC's statuses. Source: https://github.com/googleapis/googleapis/blob/master/google/rpc/code.proto */
const httpStatuses: readonly number[] = [
  200, // OK
  499, // CANCELLED
  500, // UNKNOWN
  400, // INVALID_ARGUMENT
  504, // DEADLINE_EXCEEDED
  404, // NOT_FOUND
  409, // ALREADY_EXISTS
  403, // PERMISSION_DENIED
  429, // RESOURCE_EXHAUSTED
  400, // FAILED_PRECONDITION
  409, // ABORTED
  400, // OUT_OF_RANGE
  501, // UNIMPLEMENTED
  500, // INTERNAL
  503, // UNAVAILABLE
  500, // DATA_LOSS
  401, // UNAUTHENTICATED
];

/** What HTTP has a closer word for than for its gRPC status. */
const statusOfReason: ReadonlyMap<string, number> = new Map([
  ["METHOD_NOT_ALLOWED", 405],
  ["REQUEST_TIMEOUT", 408],
  ["REQUEST_TOO_LARGE", 413],
]);
