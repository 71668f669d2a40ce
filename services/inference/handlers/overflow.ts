import { ServiceError } from "../../../lib/errors.ts";

/** The status of requests that find a queue full, or wait in it for longer than its policy allows. */
export const overflowStatuses = ["RESOURCE_EXHAUSTED", "UNAVAILABLE"] as const;
export type OverflowStatus = (typeof overflowStatuses)[number];

/** A fault as callers are to see it: with UNAVAILABLE full queues are told with Triton's status and in its very words. */
export function overflowFault(failure: unknown, status: OverflowStatus): unknown {
  if (status !== "UNAVAILABLE" || !(failure instanceof ServiceError)) return failure;
  const { reason, metadata, retryDelayMs } = failure;
  const text = tritonTexts.get(reason);
  return text === undefined
    ? failure
    : new ServiceError("OVERLOADED", text, { metadata, retryDelayMs, cause: failure });
}

const tritonTexts: ReadonlyMap<ServiceError["reason"], string> = new Map([
  ["QUEUE_FULL", "Exceeds maximum queue size"],
  ["QUEUE_TIMEOUT", "Request timeout expired"],
]);
