import { type StatusObject, status } from "@grpc/grpc-js";
import { ServiceError } from "../../../lib/errors.ts";
import { statusOf } from "../../../lib/rpc/status.ts";

/**
 * Gives a failure of the connection a text that says who is missing, such as "the trainer at 127.0.0.1:8201". What the
 * other side said itself is answered unchanged.
 */
export function explained(ended: StatusObject, who: string, isCancelled: boolean): StatusObject {
  const isSaid = ended.metadata.get("grpc-status-details-bin").length > 0;
  const isLost = ended.code === status.UNAVAILABLE || (ended.code === status.CANCELLED && !isCancelled);
  if (isSaid || !isLost) return ended;
  const cause = lastError.exec(ended.details)?.[1] ?? ended.details;
  return statusOf(new ServiceError("SERVICE_UNAVAILABLE", `${who} does not answer: ${cause}`, { retryDelayMs: 1000 }));
}

/** The part of grpc-js's text about a failed connection that helps. */
const lastError = /Last error: (?:Error: )?(.*?)\. Resolution note/;
