import type { NodeCapabilities, NodeState } from "./node-state.ts";

/** What the nodes of a fleet can run; where there are none, nothing is known. */
export type FleetCapabilities = readonly NodeCapabilities[];

/** Those that drain do not count: they get nothing new. */
export function fleetCapabilities(nodes: Iterable<NodeState>): FleetCapabilities {
  return [...nodes].filter(({ draining }) => !draining).map(({ capabilities }) => capabilities);
}
