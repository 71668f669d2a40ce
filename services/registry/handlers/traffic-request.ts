import type { Hedging__Output } from "../../../lib/gen/amaas/registry/v1/Hedging.ts";
import type { RateLimits__Output } from "../../../lib/gen/amaas/registry/v1/RateLimits.ts";
import type { Traffic__Output } from "../../../lib/gen/amaas/registry/v1/Traffic.ts";
import { checkText, invalid, whole } from "./requests.ts";

/** How calls are routed, as it is stored. Throws REQUEST_INVALID with the path of the field that is beyond its bounds. */
export function checkedTraffic(wanted: Traffic__Output): Traffic__Output {
  const field = "settings.traffic";
  const { defaultTimeoutMs, stickyKey, versionOverride, hedging, perPrincipal, total } = wanted;
  whole(`${field}.default_timeout_ms`, defaultTimeoutMs, 0, 86_400_000);
  checkStickyKey(`${field}.sticky_key`, stickyKey);
  return {
    defaultTimeoutMs,
    stickyKey,
    versionOverride,
    hedging: hedging && checkedHedging(`${field}.hedging`, hedging),
    perPrincipal: perPrincipal && checkedLimits(`${field}.per_principal`, perPrincipal),
    total: total && checkedLimits(`${field}.total`, total),
  };
}

function checkStickyKey(field: string, key: string): void {
  checkText(field, key, 128);
  if (key === "") return;
  if (!/^[a-z0-9_.-]+$/.test(key))
    throw invalid(field, JSON.stringify(key), "characters of a-z, 0-9, '-', '_' and '.'");
  if (key.endsWith("-bin")) throw invalid(field, key, "a key of text: not ending in -bin");
  if (/^(?:grpc|amaas)-/.test(key))
    throw invalid(field, key, "a key of the caller's own: not beginning with grpc- or amaas-");
}

function checkedHedging(field: string, { quantile, delayMsMin }: Hedging__Output): Hedging__Output {
  if (quantile !== 0 && !(quantile >= 0.5 && quantile <= 0.999)) {
    throw invalid(`${field}.quantile`, quantile, "0.5 to 0.999, or 0 for 0.95");
  }
  whole(`${field}.delay_ms_min`, delayMsMin, 0, 60_000);
  return { quantile, delayMsMin };
}

function checkedLimits(field: string, limits: RateLimits__Output): RateLimits__Output {
  const { requestsPerSecond, concurrentRequests, rowsPerSecond, bytesPerSecond } = limits;
  checkRate(`${field}.requests_per_second`, requestsPerSecond, 1e9);
  whole(`${field}.concurrent_requests`, concurrentRequests, 0, 1_000_000);
  checkRate(`${field}.rows_per_second`, rowsPerSecond, 1e12);
  checkRate(`${field}.bytes_per_second`, bytesPerSecond, 1e15);
  return { requestsPerSecond, concurrentRequests, rowsPerSecond, bytesPerSecond };
}

/** One that is hardly above 0 would have callers wait for years. */
function checkRate(field: string, seen: number, max: number): void {
  if (seen === 0 || (seen >= rateMin && seen <= max)) return;
  throw invalid(field, seen, `${rateMin} to ${max.toExponential()}, or 0 for no limit`);
}

const rateMin = 0.001;
