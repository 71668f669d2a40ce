/** The names of the gRPC statuses in use. */
export type StatusName =
  | "ABORTED"
  | "ALREADY_EXISTS"
  | "CANCELLED"
  | "DATA_LOSS"
  | "DEADLINE_EXCEEDED"
  | "FAILED_PRECONDITION"
  | "INTERNAL"
  | "INVALID_ARGUMENT"
  | "NOT_FOUND"
  | "OUT_OF_RANGE"
  | "PERMISSION_DENIED"
  | "RESOURCE_EXHAUSTED"
  | "UNAVAILABLE"
  | "UNIMPLEMENTED";

/** Every way a call can fail, and the gRPC status that its caller sees. */
const statusOf = {
  REQUEST_INVALID: "INVALID_ARGUMENT",
  TENSOR_INVALID: "INVALID_ARGUMENT",
  ARTIFACT_INVALID: "INVALID_ARGUMENT",
  ARTIFACT_DIGEST_MISMATCH: "INVALID_ARGUMENT",
  DATASET_INVALID: "INVALID_ARGUMENT",
  SPEC_INVALID: "INVALID_ARGUMENT",
  SEQUENCE_UNKNOWN: "INVALID_ARGUMENT",
  MODEL_NOT_FOUND: "NOT_FOUND",
  VERSION_NOT_FOUND: "NOT_FOUND",
  ALIAS_NOT_FOUND: "NOT_FOUND",
  REVISION_NOT_FOUND: "NOT_FOUND",
  ARTIFACT_NOT_FOUND: "NOT_FOUND",
  JOB_NOT_FOUND: "NOT_FOUND",
  SERVICE_UNKNOWN: "NOT_FOUND",
  PATH_UNKNOWN: "NOT_FOUND",
  MODEL_EXISTS: "ALREADY_EXISTS",
  VARIANT_EXISTS: "ALREADY_EXISTS",
  JOB_ENDED: "FAILED_PRECONDITION",
  JOB_PAUSED: "FAILED_PRECONDITION",
  EVENTS_TRIMMED: "OUT_OF_RANGE",
  MODEL_DELETED: "FAILED_PRECONDITION",
  MODEL_IN_USE: "FAILED_PRECONDITION",
  VERSION_STATE: "FAILED_PRECONDITION",
  VERSION_IN_USE: "FAILED_PRECONDITION",
  INCOMPATIBLE: "FAILED_PRECONDITION",
  CONTROL_DISABLED: "FAILED_PRECONDITION",
  LOAD_FAILED: "FAILED_PRECONDITION",
  ETAG_MISMATCH: "ABORTED",
  CONTENTION: "ABORTED",
  UPLOAD_OFFSET: "ABORTED",
  UPLOAD_SUPERSEDED: "ABORTED",
  UPLOAD_INCOMPLETE: "ABORTED",
  METHOD_INTERNAL: "PERMISSION_DENIED",
  ORIGIN_REFUSED: "PERMISSION_DENIED",
  OVERRIDE_REFUSED: "PERMISSION_DENIED",
  QUEUE_FULL: "RESOURCE_EXHAUSTED",
  LIMIT_EXCEEDED: "RESOURCE_EXHAUSTED",
  REQUEST_TOO_LARGE: "RESOURCE_EXHAUSTED",
  STREAM_TOO_WIDE: "RESOURCE_EXHAUSTED",
  ARTIFACT_TOO_LARGE: "RESOURCE_EXHAUSTED",
  RESPONSE_TOO_LARGE: "RESOURCE_EXHAUSTED",
  DISK_FULL: "RESOURCE_EXHAUSTED",
  OUT_OF_MEMORY: "RESOURCE_EXHAUSTED",
  MODEL_NOT_READY: "UNAVAILABLE",
  ARTIFACT_COLLECTING: "UNAVAILABLE",
  SERVICE_UNAVAILABLE: "UNAVAILABLE",
  WORKER_LOST: "UNAVAILABLE",
  OVERLOADED: "UNAVAILABLE",
  DRAINING: "UNAVAILABLE",
  TRAINING_DIVERGED: "FAILED_PRECONDITION",
  TRIALS_FAILED: "FAILED_PRECONDITION",
  CANCELLED: "CANCELLED",
  DEADLINE_EXCEEDED: "DEADLINE_EXCEEDED",
  QUEUE_TIMEOUT: "DEADLINE_EXCEEDED",
  REQUEST_TIMEOUT: "DEADLINE_EXCEEDED",
  RUN_TIME_EXCEEDED: "DEADLINE_EXCEEDED",
  ARTIFACT_CORRUPT: "DATA_LOSS",
  INTERNAL: "INTERNAL",
  UNSUPPORTED: "UNIMPLEMENTED",
  METHOD_NOT_ALLOWED: "UNIMPLEMENTED",
} as const satisfies Record<string, StatusName>;

/** A stable word for a fault, sent as `google.rpc.ErrorInfo.reason`. */
export type Reason = keyof typeof statusOf;

/** What a fault says besides its message. */
export interface FaultOptions {
  /** The values that the message names, by key; sent to the caller. */
  readonly metadata?: Readonly<Record<string, string>>;
  /** When a retry makes sense, in milliseconds; sent as `google.rpc.RetryInfo`. */
  readonly retryDelayMs?: number;
  /** What caused it; logged, never sent. */
  readonly cause?: unknown;
}

/** A fault that the caller can act on. The message says what was wrong, the value seen and the value needed. */
export class ServiceError extends Error {
  override readonly name = "ServiceError";
  readonly reason: Reason;
  readonly metadata: Readonly<Record<string, string>>;
  readonly retryDelayMs: number | undefined;

  constructor(reason: Reason, message: string, options: FaultOptions = {}) {
    super(message, { cause: options.cause });
    this.reason = reason;
    this.metadata = options.metadata ?? {};
    this.retryDelayMs = options.retryDelayMs;
  }

  /** The name of the gRPC status that the caller sees. */
  get status(): StatusName {
    return statusOf[this.reason];
  }
}

/** Ends the work that it belongs to when an invariant of ours is broken. */
export function assert(condition: unknown, invariant: string): asserts condition {
  if (!condition) throw new Error(`broken invariant: ${invariant}`);
}

/** The message of anything that was thrown. */
export function messageOf(thrown: unknown): string {
  return thrown instanceof Error ? thrown.message : String(thrown);
}
