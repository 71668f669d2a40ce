import type { NodeState } from "./node-state.ts";

/** What the fleet can run. */
export interface FleetCapabilities {
  /** Nodes that have said what they can run; where there are none, nothing is known. */
  readonly nodeCount: number;
  /** The newest operator set that at least one node runs, by domain. */
  readonly opsets: ReadonlyMap<string, number>;
  /** Those that at least one node offers. */
  readonly executionProviders: ReadonlySet<string>;
}

/** What the nodes of a fleet can run, together; those that drain do not count. */
export function fleetCapabilities(nodes: Iterable<NodeState>): FleetCapabilities {
  let nodeCount = 0;
  const opsets = new Map<string, number>();
  const executionProviders = new Set<string>();
  for (const { capabilities, draining } of nodes) {
    const known = Object.entries(capabilities.opsets);
    if (draining || known.length === 0) continue;
    nodeCount++;
    for (const [domain, newest] of known) opsets.set(domain, Math.max(newest, opsets.get(domain) ?? 0));
    for (const provider of capabilities.executionProviders) executionProviders.add(provider);
  }
  return { nodeCount, opsets, executionProviders };
}
