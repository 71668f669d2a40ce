import { hashOf, weightOf } from "../../lib/rendezvous.ts";
import type { CalledRef, CallHeaders } from "./called-ref.ts";
import type { SequencedRef } from "./model-ref.ts";
import type { RouteTable } from "./route-table.ts";
import type { Route } from "./routed-model.ts";
import { readyReplicas, routeOf } from "./routing.ts";
import type { SequencePlace } from "./sequence-table.ts";

/** Which nodes a request of a sequence may go to. */
export interface SequenceRoute {
  readonly route: Route;
  /** Best first; not empty. */
  readonly nodes: readonly string[];
}

/** The name of a sequence among those of all models: one id means different ones for different references to a version. */
export function sequenceKey({ model, version, override, sequence }: SequencedRef & CalledRef): string {
  return JSON.stringify([model, override ?? version, sequence.id]);
}

/**
 * Where a request of a sequence goes: on where the sequence is as long as the version is ready there, and otherwise to the first
 * nodes by rendezvous hashing, which every gateway finds in the same order. A request that starts the sequence chooses the version
 * anew, and stays on the node where that is the same.
 *
 * Throws what `routeOf` and `readyReplicas` throw.
 */
export function routeOfSequence(
  table: RouteTable | undefined,
  ref: SequencedRef & CalledRef,
  headers: CallHeaders,
  place: SequencePlace | undefined,
): SequenceRoute {
  const { model, sequence } = ref;
  const kept = sequence.starts || place === undefined ? undefined : versionRoute(table, model, place.version);
  const route = kept ?? routeOf(table, ref, { headers, random: hashOf(sequenceKey(ref)) / 2 ** 31 });
  const ranked = rankedNodes(readyReplicas(route), JSON.stringify([model, sequence.id]));
  const isThere = place !== undefined && place.version === route.version && ranked.includes(place.node);
  return { route, nodes: isThere ? [place.node, ...ranked.filter((node) => node !== place.node)] : ranked };
}

/** Addresses in the order in which something wants to be there (Thaler and Ravishankar 1998). */
function rankedNodes(addresses: readonly string[], name: string): readonly string[] {
  const hash = hashOf(name);
  return addresses
    .map((address) => ({ address, weight: weightOf(hashOf(address), hash) }))
    .sort((a, b) => b.weight - a.weight || (a.address < b.address ? -1 : 1))
    .map(({ address }) => address);
}

/** Undefined where the version is nowhere ready any longer. */
function versionRoute(table: RouteTable | undefined, model: string, version: number): Route | undefined {
  const found = table?.models.get(model)?.versions.get(version);
  return found === undefined || found.replicas.length === 0 ? undefined : found;
}
