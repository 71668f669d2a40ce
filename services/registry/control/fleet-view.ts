import type { NodeState } from "./node-state.ts";

/** What of the fleet a plan depends on. Nodes that drain are in none of the answers. */
export interface FleetView {
  /** The ids of the nodes that may hold a version. */
  readonly candidates: (version: string) => readonly string[];
  /** The nodes on which a version is ready. */
  readonly readyOn: (version: string) => readonly NodeState[];
}

/** A view of the nodes as they are now. With `keepOnly` a version may only be where it is already, in whatever state. */
export function fleetView(nodes: readonly NodeState[], keepOnly: boolean): FleetView {
  const members = nodes.filter(({ draining }) => !draining);
  const ids = members.map(({ id }) => id);
  const held = new Map<string, string[]>();
  const ready = new Map<string, NodeState[]>();
  for (const member of members) {
    for (const [version, { state }] of member.replicas) {
      append(held, version, member.id);
      if (state === "READY") append(ready, version, member);
    }
  }
  return {
    candidates: (version) => (keepOnly ? (held.get(version) ?? []) : ids),
    readyOn: (version) => ready.get(version) ?? [],
  };
}

function append<Value>(lists: Map<string, Value[]>, key: string, value: Value): void {
  const list = lists.get(key);
  if (list === undefined) lists.set(key, [value]);
  else list.push(value);
}
