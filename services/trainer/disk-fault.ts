import { messageOf, ServiceError } from "../../lib/errors.ts";

/** WORKER_LOST in place of the system's word that a disk is full: another worker may have room, or this one later. */
export function diskFault(failure: unknown): unknown {
  if ((failure as NodeJS.ErrnoException | undefined)?.code !== "ENOSPC") return failure;
  return new ServiceError("WORKER_LOST", `the trainer's disk is full: ${messageOf(failure)}`, { cause: failure });
}
