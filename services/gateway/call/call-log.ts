import { messageOf, ServiceError } from "../../../lib/errors.ts";
import type { Log } from "../../../lib/log.ts";
import { remoteFaultOf } from "../../../lib/rpc/status.ts";
import { status } from "../../../lib/rpc/status-code.ts";
import type { Call } from "./call.ts";
import { type CallEnd, CallOver, endOfThrown, statusObjectOf } from "./call-end.ts";
import { traceIdOf } from "./trace-parent.ts";

/** Writes the one line of a call that has ended: success at debug level where it is quiet, a failure with its reason at info level. */
export function logCall(log: Log, call: Call, end: CallEnd, isQuiet: boolean, node?: string): void {
  const { requestId, path: method, arrivedMs } = call;
  const isFailure = end.code !== status.OK;
  if (!isFailure && isQuiet && !log.isLevelEnabled("debug")) return;
  const durationMs = Math.round((performance.now() - arrivedMs) * 1000) / 1000;
  const fields = { requestId, traceId: traceIdOf(call.headers), method, durationMs, node };
  if (isFailure) log.info({ ...fields, ...failureFields(end) }, "call failed");
  else if (isQuiet) log.debug(fields, "call");
  else log.info(fields, "call");
}

/** The end for what a step threw; an unforeseen exception is logged here, where its cause is still known. */
export function endOfStep(log: Log, { requestId, path: method }: Call, thrown: unknown): CallEnd {
  const isForeseen = thrown instanceof CallOver || (thrown instanceof ServiceError && thrown.reason !== "INTERNAL");
  if (!isForeseen) log.error({ requestId, method, error: thrown }, "call broke");
  return endOfThrown(thrown);
}

function failureFields(end: CallEnd) {
  const fields = { status: status[end.code] ?? end.code, detail: end.details };
  try {
    return { ...fields, reason: remoteFaultOf(statusObjectOf(end)).reason };
  } catch (failure) {
    // Another server's details need not be a message of ours.
    return { ...fields, reason: `unreadable: ${messageOf(failure)}` };
  }
}
