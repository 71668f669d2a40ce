import { type Reason, ServiceError } from "../../../lib/errors.ts";
import type { RunPhases } from "../worker/thread-protocol.ts";

/**
 * Is told what becomes of the requests of a replica, on the path of every one of them: it has to be quick, and never throws.
 * Durations are milliseconds and their fractions.
 */
export interface PoolObserver {
  /** A run of so many rows gave outputs. */
  ran(rowCount: number, phases: RunPhases): void;
  /**
   * A request was answered: it waited for `queueMs` until the run began whose phases these are, and was there for `totalMs`.
   * What is neither is the way to the thread and back, and the wait for its turn. Each of several responses to a request counts as
   * one here, with its index.
   */
  answered(rowCount: number, queueMs: number, phases: RunPhases, totalMs: number, responseIndex?: number): void;
  /** A request was refused, failed, or lost its caller, after it was there for `totalMs`. */
  failed(kind: FailureKind, totalMs: number, responseIndex?: number): void;
}

/** Why requests fail, in Triton's words: before they ran, because their caller left, in the runtime, or in another way. */
export const failureKinds = ["REJECTED", "CANCELED", "BACKEND", "OTHER"] as const;
export type FailureKind = (typeof failureKinds)[number];

/** What a fault was to a request that had been given to a session, or had not. */
export function failureKindOf(failure: unknown, hasBegun: boolean): FailureKind {
  const reason = failure instanceof ServiceError ? failure.reason : undefined;
  // Nobody waits any longer for what runs beyond its deadline.
  if (reason === "CANCELLED" || (hasBegun && reason === "DEADLINE_EXCEEDED")) return "CANCELED";
  if (hasBegun || reason === "WORKER_LOST") return "BACKEND";
  return reason !== undefined && rejections.has(reason) ? "REJECTED" : "OTHER";
}

const rejections: ReadonlySet<Reason> = new Set([
  "QUEUE_FULL",
  "DEADLINE_EXCEEDED",
  "QUEUE_TIMEOUT",
  "REQUEST_INVALID",
  "TENSOR_INVALID",
  "UNSUPPORTED",
  "MODEL_NOT_READY",
]);
