import type { Node__Output } from "../../../lib/gen/amaas/registry/v1/Node.ts";
import { parseNodeName, parseVersionName, versionName } from "../../../lib/resource-names.ts";
import type { NodeState } from "../control/node-state.ts";
import { checkText, invalid } from "./requests.ts";

/** Checks a report; `id` is the node that the stream began with. Throws REQUEST_INVALID. */
export function nodeStateOf(node: Node__Output | null, id?: string): NodeState {
  const named = parseNodeName(node?.name ?? "", "node.name");
  if (id !== undefined && named !== id) throw invalid("node.name", node?.name, `nodes/${id}, as the stream began`);
  const { address, executionProviders, memoryBytes, draining, replicas } = node!;
  if (!/^(\[[0-9a-fA-F:.]{2,45}\]|[A-Za-z0-9._-]{1,253}):[1-9]\d{0,4}$/.test(address)) {
    throw invalid("node.address", JSON.stringify(address.slice(0, 300)), "host:port");
  }
  for (const provider of executionProviders) checkText("node.execution_providers", provider, 64);
  const held = replicas.map(({ version: name, state, reason }) => {
    const { model, version } = parseVersionName(name, "node.replicas.version");
    const known = replicaStates[state as keyof typeof replicaStates];
    if (known === undefined) throw invalid("node.replicas.state", state, Object.keys(replicaStates).join(", "));
    return [versionName(model, version), { model, version, state: known, reason }] as const;
  });
  return { id: named, address, executionProviders, memoryBytes, draining, replicas: new Map(held) };
}

const replicaStates = { STATE_LOADING: "LOADING", STATE_READY: "READY", STATE_FAILED: "FAILED" } as const;
