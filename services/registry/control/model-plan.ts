import { versionName } from "../../../lib/resource-names.ts";
import type { ModelEntry } from "../store/entries.ts";
import type { FleetView } from "./fleet-view.ts";
import { placement } from "./placement.ts";
import { aliasTargets, type ModelRoute } from "./routes.ts";
import { servedVersions } from "./serving-policy.ts";

/** One version that a node should hold. */
export interface Assigned {
  readonly version: string;
  readonly sha256: string;
  readonly sizeBytes: number;
  /** The ids of the aliases that point at it. */
  readonly aliases: readonly string[];
}

export interface PlanPolicy {
  readonly replicasPerVersion: number;
  readonly newestVersionsServed: number;
}

/** What should hold of one model: which nodes hold which version, and where requests go. */
export interface ModelPlan {
  readonly placed: readonly { readonly assigned: Assigned; readonly nodes: ReadonlySet<string> }[];
  readonly route: ModelRoute;
}

/**
 * Plans one model. While nodes come back after a start of the registry, they keep what they hold of the catalogue. `previous`
 * is its route so far: what an alias still leads to stays loaded, and a replica that is to be unloaded is out of the route in
 * the same plan.
 */
export function modelPlan(
  entry: ModelEntry,
  fleet: FleetView,
  policy: PlanPolicy,
  previous: ModelRoute | undefined,
): ModelPlan {
  const { id: model, versions, aliases } = entry;
  const isReady = (version: number) => fleet.readyOn(versionName(model, version)).length > 0;
  const targets = aliasTargets(aliases, isReady, previous);
  const held = fleet.isReunion
    ? versions.filter(({ number }) => fleet.holdersOf(versionName(model, number)).length > 0)
    : [];
  const needed = new Set([...aliases.values(), ...targets.values(), ...held.map(({ number }) => number)]);
  const placed = servedVersions(entry, needed, policy.newestVersionsServed).map(({ number, sha256, sizeBytes }) => {
    const version = versionName(model, number);
    const pointing = [...aliases].filter(([, target]) => target === number).map(([alias]) => alias);
    const assigned = { version, sha256, sizeBytes, aliases: pointing.sort() };
    if (fleet.isReunion) return { assigned, nodes: new Set(fleet.holdersOf(version)) };
    const readyOn = fleet.readyOn(version).map(({ id }) => id);
    return { assigned, nodes: placement({ key: version, readyOn }, fleet.ids, policy.replicasPerVersion) };
  });
  const nodesOf = new Map(placed.map(({ assigned, nodes }) => [assigned.version, nodes]));
  const route = versions.map(({ number }) => {
    const version = versionName(model, number);
    const kept = fleet.readyOn(version).filter(({ id }) => nodesOf.get(version)?.has(id));
    return { version: number, addresses: kept.map(({ address }) => address).sort() };
  });
  return { placed, route: { model, versions: route, aliases: targets } };
}
