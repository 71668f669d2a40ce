import { Metadata, type StatusObject } from "@grpc/grpc-js";
import { messageOf, type Reason, ServiceError } from "../errors.ts";
import { decodeMessage, encodeMessage } from "./protos.ts";
import { status } from "./status-code.ts";

const trailer = "grpc-status-details-bin";
const typeUrl = "type.googleapis.com/";
const domain = "amaas";

/**
 * The status that a caller sees for anything that was thrown: a `ServiceError` with its reason as
 * `google.rpc.ErrorInfo` (and `RetryInfo`) in rich status details, anything else as INTERNAL without its text.
 */
export function statusOf(thrown: unknown): StatusObject {
  const fault =
    thrown instanceof ServiceError ? thrown : new ServiceError("INTERNAL", "internal error; the log has the cause");
  const code = status[fault.status];
  const metadata = new Metadata();
  metadata.set(trailer, encodeDetails(code, fault));
  return { code, details: shortened(fault.message, messageCharactersMax), metadata };
}

/** The name of a gRPC status; the number where it has none. */
export function statusName(code: number): string {
  return status[code] ?? String(code);
}

/** What a failed call to another service says. */
export interface RemoteFault {
  /** The gRPC status. */
  readonly code: status;
  readonly message: string;
  /** The stable word, where the other side sent one. */
  readonly reason: string | undefined;
  readonly metadata: Readonly<Record<string, string>>;
}

/** Reads the error of a grpc-js call; anything else counts as UNKNOWN. */
export function remoteFaultOf(thrown: unknown): RemoteFault {
  const error = thrown as Partial<StatusObject> | undefined;
  if (typeof error?.code !== "number") {
    return { code: status.UNKNOWN, message: messageOf(thrown), reason: undefined, metadata: {} };
  }
  const info = detailOf<ErrorInfo>(error.metadata, "google.rpc.ErrorInfo");
  return {
    code: error.code,
    message: error.details ?? messageOf(thrown),
    reason: info?.reason,
    metadata: info?.metadata ?? {},
  };
}

/** When a retry of a failed call makes sense, in milliseconds, where the other side says it. */
export function retryDelayMsOf(thrown: unknown): number | undefined {
  const info = detailOf<RetryInfo>((thrown as Partial<StatusObject> | undefined)?.metadata, "google.rpc.RetryInfo");
  return info?.retryDelay ? info.retryDelay.seconds * 1000 + info.retryDelay.nanos / 1e6 : undefined;
}

/**
 * Says again, to our own caller, what another service said. Of the faults whose reason does not mean the same here, those of a
 * service that is away or has no room become SERVICE_UNAVAILABLE and all others INTERNAL. Our services always give a reason: without one the
 * connection spoke.
 */
export function relayedFault(thrown: unknown): ServiceError {
  if (thrown instanceof ServiceError) return thrown;
  const fault = remoteFaultOf(thrown);
  const isAway = fault.reason === undefined ? !lasting.has(fault.code) : isPassing(fault);
  const known = relayed.find((reason) => reason === fault.reason) ?? (isAway ? "SERVICE_UNAVAILABLE" : "INTERNAL");
  return new ServiceError(known, fault.message, { metadata: fault.metadata, cause: thrown });
}

/** With a reason: worth another attempt. */
function isPassing({ code, reason }: RemoteFault): boolean {
  return code === status.UNAVAILABLE || code === status.DEADLINE_EXCEEDED || reason === "QUEUE_FULL";
}

/** Without a reason: not worth another attempt, such as a message above the limit. */
const lasting = new Set([status.RESOURCE_EXHAUSTED, status.UNIMPLEMENTED, status.INVALID_ARGUMENT]);

/** Faults of another service that mean the same to our caller. */
const relayed: readonly Reason[] = [
  "REQUEST_INVALID",
  "ARTIFACT_INVALID",
  "ARTIFACT_NOT_FOUND",
  "ARTIFACT_TOO_LARGE",
  "ARTIFACT_CORRUPT",
  "MODEL_NOT_FOUND",
  "MODEL_DELETED",
  "VERSION_NOT_FOUND",
  "ALIAS_NOT_FOUND",
  "VERSION_STATE",
  "INCOMPATIBLE",
  "DISK_FULL",
];

interface ErrorInfo {
  readonly reason: string;
  readonly metadata: Readonly<Record<string, string>>;
}

interface RetryInfo {
  readonly retryDelay: { readonly seconds: number; readonly nanos: number } | null;
}

/**
 * Clients refuse a call whose trailers are larger than 8 KiB or so, and the message travels in them twice: what callers sent
 * is echoed only in part.
 */
const messageCharactersMax = 1000;
const valueCharactersMax = 200;

function shortened(text: string, charactersMax: number): string {
  return text.length > charactersMax ? `${text.slice(0, charactersMax - 1)}…` : text;
}

function encodeDetails(code: status, fault: ServiceError): Buffer {
  const values = Object.entries(fault.metadata).map(([key, value]) => [key, shortened(value, valueCharactersMax)]);
  const info = { reason: fault.reason, domain, metadata: Object.fromEntries(values) };
  const details = [packed("google.rpc.ErrorInfo", info)];
  if (fault.retryDelayMs !== undefined) {
    const seconds = Math.floor(fault.retryDelayMs / 1000);
    const nanos = Math.round((fault.retryDelayMs - seconds * 1000) * 1e6);
    details.push(packed("google.rpc.RetryInfo", { retryDelay: { seconds, nanos } }));
  }
  return encodeMessage("status", "google.rpc.Status", {
    code,
    message: shortened(fault.message, messageCharactersMax),
    details,
  });
}

function packed(type: string, message: object) {
  return { type_url: typeUrl + type, value: encodeMessage("errorDetails", type, message) };
}

/** The rich status detail of a type. */
function detailOf<Detail>(metadata: Metadata | undefined, type: string): Detail | undefined {
  const bytes = metadata?.get(trailer)[0];
  if (!(bytes instanceof Buffer)) return undefined;
  interface Details {
    readonly details: readonly { readonly type_url: string; readonly value: Buffer }[];
  }
  const { details } = decodeMessage<Details>("status", "google.rpc.Status", bytes);
  const found = details.find((detail) => detail.type_url === typeUrl + type);
  return found && decodeMessage<Detail>("errorDetails", type, found.value);
}
