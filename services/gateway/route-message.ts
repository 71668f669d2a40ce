import type { Hedging__Output } from "../../lib/gen/amaas/registry/v1/Hedging.ts";
import type { ModelRoute__Output } from "../../lib/gen/amaas/registry/v1/ModelRoute.ts";
import type { NodeRoute__Output } from "../../lib/gen/amaas/registry/v1/NodeRoute.ts";
import type { Traffic__Output } from "../../lib/gen/amaas/registry/v1/Traffic.ts";
import type { WatchRoutesResponse__Output } from "../../lib/gen/amaas/registry/v1/WatchRoutesResponse.ts";
import type { NodeFacts } from "./balance/node-facts.ts";
import { interned } from "./interned.ts";
import type { Hedging, ModelRoute, Traffic } from "./route-facts.ts";
import type { RouteStep } from "./route-table.ts";

/** The step that a message of the registry is; undefined for one of a newer release. */
export function stepOf({
  snapshot,
  resumed,
  changed,
  removed,
  node,
}: WatchRoutesResponse__Output): RouteStep | undefined {
  if (snapshot) {
    return { kind: "snapshot", models: snapshot.models.map(modelRouteOf), nodes: snapshot.nodes.map(nodeOf) };
  }
  if (resumed) return { kind: "resumed" };
  if (changed) return { kind: "changed", model: modelRouteOf(changed) };
  if (node) {
    const [address, facts] = nodeOf(node);
    return { kind: "node", address, facts };
  }
  return removed ? { kind: "removed", model: removed } : undefined;
}

function modelRouteOf({ model, versions, aliases, traffic }: ModelRoute__Output): ModelRoute {
  const led = Object.entries(aliases).filter(([, { targets }]) => targets.length > 0);
  const held = versions.map(
    ({ version, addresses, reason }) => [version, { replicas: addresses.map(interned), reason }] as const,
  );
  return {
    model,
    versions: new Map(held),
    aliases: new Map(led),
    traffic: traffic ? trafficOf(traffic) : undefined,
  };
}

function trafficOf({ hedging, perPrincipal, total, ...traffic }: Traffic__Output): Traffic {
  return {
    ...traffic,
    hedging: hedging ? hedgingOf(hedging) : undefined,
    perPrincipal: perPrincipal ?? undefined,
    total: total ?? undefined,
  };
}

function hedgingOf({ quantile, delayMsMin }: Hedging__Output): Hedging {
  return { quantile: quantile || presetQuantile, delayMsMin };
}

/** What the contract says of 0. */
const presetQuantile = 0.95;

function nodeOf({ address, zone, capacity }: NodeRoute__Output): readonly [string, NodeFacts] {
  return [interned(address), { zone, capacity: Math.max(1, capacity) }];
}
