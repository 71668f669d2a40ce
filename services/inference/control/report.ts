import type { Node } from "../../../lib/gen/amaas/registry/v1/Node.ts";
import type { NodeCapabilities } from "../../../lib/gen/amaas/registry/v1/NodeCapabilities.ts";
import type { NodeLoad } from "../../../lib/gen/amaas/registry/v1/NodeLoad.ts";
import type { Replica } from "../../../lib/gen/amaas/registry/v1/Replica.ts";
import { nodeName, versionName } from "../../../lib/resource-names.ts";
import { type ModelTable, stateOf, type VersionEntry } from "../replicas/model-table.ts";

/** What a node says of itself besides what it holds. */
export interface NodeFacts {
  /** The id of the node. */
  readonly node: string;
  /** Where gateways reach it, "host:port". */
  readonly address: string;
  /** Where it stands; empty where nobody says. */
  readonly zone: string;
  readonly capabilities: NodeCapabilities;
  /** Resident memory of the process in bytes. */
  readonly memoryBytes: number;
  readonly draining: boolean;
  readonly load: NodeLoad;
}

/** The whole state of the node as the registry wants it. */
export function reportOf({ node, ...facts }: NodeFacts, table: ModelTable): Node {
  const versions = [...table.values()].flatMap((entry) => [...entry.versions.values()]);
  return { name: nodeName(node), ...facts, replicas: versions.map(replicaOf) };
}

function replicaOf(entry: VersionEntry): Replica {
  const { variant, placement, exchangeFailure } = entry;
  const { executionProvider, fallbackProviders } = placement;
  const version = versionName(entry.model, entry.version);
  const fallbackExecutionProviders = [...fallbackProviders];
  const replica = { version, variant, executionProvider, fallbackExecutionProviders, exchangeFailure };
  const state = stateOf(entry);
  switch (state.kind) {
    case "ready":
    case "dormant":
      return { ...replica, state: "STATE_READY" };
    case "failed":
      return { ...replica, state: "STATE_FAILED", reason: state.reason };
    default:
      return { ...replica, state: "STATE_LOADING" };
  }
}
