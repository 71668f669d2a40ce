import { type StatusObject, status } from "@grpc/grpc-js";
import { messageOf, ServiceError } from "../../../lib/errors.ts";
import type { Log } from "../../../lib/log.ts";
import { remoteFaultOf, statusOf } from "../../../lib/rpc/status.ts";

/** What every line about a call says. */
export interface CallFields {
  readonly requestId: string;
  /** "/package.Service/Method". */
  readonly method: string;
  /** `performance.now()` when it arrived. */
  readonly begin: number;
  /** Whether success is worth a line at debug level only. */
  readonly quiet: boolean;
}

/** Writes the one line of a call that has ended: success as `quiet` says, a failure with its reason at info level. */
export function logCall(log: Log, call: CallFields, ended: StatusObject, node?: string): void {
  const { requestId, method, begin, quiet } = call;
  const fields = { requestId, method, durationMs: Math.round((performance.now() - begin) * 1000) / 1000, node };
  if (ended.code !== status.OK) log.info({ ...fields, ...failureFields(ended) }, "call failed");
  else if (quiet) log.debug(fields, "call");
  else log.info(fields, "call");
}

/** The status for what a step threw; an unforeseen exception is logged here, where its cause is still known. */
export function statusOfThrown(log: Log, { requestId, method }: CallFields, thrown: unknown): StatusObject {
  const isForeseen = thrown instanceof ServiceError && thrown.reason !== "INTERNAL";
  if (!isForeseen) log.error({ requestId, method, error: thrown }, "call broke");
  return statusOf(thrown);
}

function failureFields(ended: StatusObject) {
  const fields = { status: status[ended.code] ?? ended.code, detail: ended.details };
  try {
    return { ...fields, reason: remoteFaultOf(ended).reason };
  } catch (failure) {
    // Another server's details need not be a message of ours.
    return { ...fields, reason: `unreadable: ${messageOf(failure)}` };
  }
}
