import { ServiceError } from "../errors.ts";
import type { CallContext } from "./call-context.ts";
import type { ServedMethod } from "./served-method.ts";
import { status } from "./status-code.ts";

/** Writes the line of a call that began at `performance.now()`; `thrown` is why it failed, undefined where it did not. */
export function logCall(
  { definition, quiet, log }: ServedMethod,
  context: CallContext,
  beganMs: number,
  thrown: unknown,
): void {
  if (thrown === undefined && !log.isLevelEnabled(quiet ? "debug" : "info")) return;
  const durationMs = Math.round((performance.now() - beganMs) * 1000) / 1000;
  const fields = { requestId: context.requestId, method: definition.path, durationMs };
  if (thrown === undefined) {
    if (quiet) log.debug(fields, "call");
    else log.info(fields, "call");
  } else if (thrown instanceof ServiceError && thrown.reason !== "INTERNAL") {
    log.info({ ...fields, status: thrown.status, reason: thrown.reason, detail: thrown.message }, "call refused");
  } else {
    log.error({ ...fields, status: status[status.INTERNAL], error: thrown }, "call failed");
  }
}
