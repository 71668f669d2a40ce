import { ServiceError } from "../../../lib/errors.ts";
import type { Excess } from "./excess.ts";

/** Whose limits they are: a principal's own, or those of all together. */
export type Scope = { readonly kind: "principal"; readonly principal: string } | { readonly kind: "total" };

/** The error for a request that exceeds a limit, with the time after which it would not, unless that never comes. */
export function refusalOf(model: string, scope: Scope, excess: Excess): ServiceError {
  const who = scope.kind === "total" ? "all callers together" : `principal '${scope.principal}'`;
  const named: Record<string, string> = scope.kind === "total" ? { model } : { model, principal: scope.principal };
  const metadata = { ...named, limit: limitName(scope, excess), seen: String(excess.seen), needed: neededOf(excess) };
  const { seen, delayMs } = excess;
  if (excess.unit === "concurrent") {
    const text = `model '${model}' takes at most ${excess.most} requests of ${who} at the same time: there are ${seen}`;
    return new ServiceError("LIMIT_EXCEEDED", text, { metadata, retryDelayMs: delayMs });
  }
  const { unit, rate, burst } = excess;
  const limit = `model '${model}' takes at most ${rate} ${unit} per second of ${who}, and ${burst} at once`;
  if (delayMs === Infinity) {
    return new ServiceError("REQUEST_TOO_LARGE", `${limit}: this request counts ${seen}, which never fits`, {
      metadata,
    });
  }
  const text = `${limit}: this request counts ${seen}, which fits in ${Math.ceil(delayMs * 1000) / 1000} ms`;
  return new ServiceError("LIMIT_EXCEEDED", text, { metadata, retryDelayMs: delayMs });
}

/** The field of the settings that says it. */
export function limitName({ kind }: Scope, { unit }: Excess): string {
  const scope = kind === "total" ? "total" : "per_principal";
  return `${scope}.${unit === "concurrent" ? "concurrent_requests" : `${unit}_per_second`}`;
}

function neededOf(excess: Excess): string {
  return excess.unit === "concurrent"
    ? `fewer than ${excess.most}`
    : `${excess.rate} per second, ${excess.burst} at once`;
}
