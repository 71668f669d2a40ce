import type { ModelRoute, RateLimits } from "../../../services/gateway/route-facts.ts";

const none: RateLimits = { requestsPerSecond: 0, concurrentRequests: 0, rowsPerSecond: 0, bytesPerSecond: 0 };

/** A model of which each principal, and all together, may ask for so much. */
export function limitedModel(perPrincipal?: Partial<RateLimits>, total?: Partial<RateLimits>): ModelRoute {
  return {
    model: "digits",
    versions: new Map(),
    aliases: new Map(),
    traffic: {
      defaultTimeoutMs: 0,
      stickyKey: "",
      versionOverride: false,
      hedging: undefined,
      perPrincipal: perPrincipal && { ...none, ...perPrincipal },
      total: total && { ...none, ...total },
    },
  };
}
