import type { NodeState } from "./node-state.ts";

/** What of the fleet a plan depends on. Nodes that drain are in none of the answers. */
export interface FleetView {
  /** Whether nodes may still be coming back: every version stays where it is. */
  readonly isReunion: boolean;
  /** The ids of all nodes. */
  readonly ids: readonly string[];
  /** The ids of the nodes that have a version, in whatever state. */
  readonly holdersOf: (version: string) => readonly string[];
  /** The nodes on which a version is ready. */
  readonly readyOn: (version: string) => readonly NodeState[];
  /** Whether a version is ready somewhere, or somewhere failed to load. */
  readonly isDecided: (version: string) => boolean;
}

/** A view of the nodes as they are now. */
export function fleetView(nodes: readonly NodeState[], isReunion: boolean): FleetView {
  const members = nodes.filter(({ draining }) => !draining);
  const held = new Map<string, string[]>();
  const ready = new Map<string, NodeState[]>();
  const decided = new Set<string>();
  for (const member of members) {
    for (const [version, { state }] of member.replicas) {
      append(held, version, member.id);
      if (state !== "LOADING") decided.add(version);
      if (state === "READY") append(ready, version, member);
    }
  }
  return {
    isReunion,
    ids: members.map(({ id }) => id),
    holdersOf: (version) => held.get(version) ?? [],
    readyOn: (version) => ready.get(version) ?? [],
    isDecided: (version) => decided.has(version),
  };
}

function append<Value>(lists: Map<string, Value[]>, key: string, value: Value): void {
  const list = lists.get(key);
  if (list === undefined) lists.set(key, [value]);
  else list.push(value);
}
