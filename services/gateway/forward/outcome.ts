import { status } from "../../../lib/rpc/status-code.ts";
import type { Outcome } from "../balance/replica.ts";
import type { Attempt } from "./attempts.ts";

/** What an attempt says of the replica. What the caller did wrong is an answer as good as any. */
export function outcomeOf({ end, isCut }: Pick<Attempt, "end" | "isCut">): Outcome {
  if (isCut || end.code === status.DEADLINE_EXCEEDED) return "cut";
  if (end.isLoss || failures.has(end.code)) return "failed";
  return end.code === status.RESOURCE_EXHAUSTED ? "refused" : "answered";
}

/** CANCELLED is what a dying grpc-js says, NOT_FOUND a node that no longer holds the version. */
const failures: ReadonlySet<number> = new Set([
  status.CANCELLED,
  status.UNKNOWN,
  status.NOT_FOUND,
  status.INTERNAL,
  status.UNAVAILABLE,
  status.DATA_LOSS,
]);
