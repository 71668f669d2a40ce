import type { Node__Output } from "../../../lib/gen/amaas/registry/v1/Node.ts";
import type { NodeCapabilities__Output } from "../../../lib/gen/amaas/registry/v1/NodeCapabilities.ts";
import type { Replica__Output } from "../../../lib/gen/amaas/registry/v1/Replica.ts";
import { parseNodeName, parseVersionName, versionName } from "../../../lib/resource-names.ts";
import type { NodeCapabilities, NodeState, ReplicaState } from "../control/node-state.ts";
import { checkText, invalid } from "./requests.ts";

/** Checks a report; `id` is the node that the stream began with. Throws REQUEST_INVALID. */
export function nodeStateOf(node: Node__Output | null, id?: string): NodeState {
  const named = parseNodeName(node?.name ?? "", "node.name");
  if (id !== undefined && named !== id) throw invalid("node.name", node?.name, `nodes/${id}, as the stream began`);
  const { address, capabilities, memoryBytes, draining, replicas, load } = node!;
  if (!/^(\[[0-9a-fA-F:.]{2,45}\]|[A-Za-z0-9._-]{1,253}):[1-9]\d{0,4}$/.test(address)) {
    throw invalid("node.address", JSON.stringify(address.slice(0, 300)), "host:port");
  }
  checkCount("node.replicas", replicas, replicasMax);
  return {
    id: named,
    address,
    capabilities: capabilitiesOf(capabilities),
    memoryBytes: checkedNumber("node.memory_bytes", memoryBytes),
    draining,
    replicas: new Map(replicas.map((replica) => replicaOf(replica))),
    load: {
      outstandingRequests: checkedNumber("node.load.outstanding_requests", load?.outstandingRequests ?? 0),
      answeredRequests: checkedNumber("node.load.answered_requests", load?.answeredRequests ?? 0),
    },
  };
}

const replicasMax = 100_000;
const reasonCharactersMax = 1024;

function capabilitiesOf(capabilities: NodeCapabilities__Output | null): NodeCapabilities {
  const { executionProviders = [], opsets = {}, memoryBudgetBytes = 0, runtime = "", cores = 0 } = capabilities ?? {};
  const field = "node.capabilities";
  checkCount(`${field}.execution_providers`, executionProviders, 64);
  for (const provider of executionProviders) checkText(`${field}.execution_providers`, provider, 64);
  checkCount(`${field}.opsets`, Object.keys(opsets), 256);
  for (const [domain, number] of Object.entries(opsets)) {
    checkText(`${field}.opsets`, domain, 256);
    checkedNumber(`${field}.opsets[${JSON.stringify(domain)}]`, number);
  }
  checkText(`${field}.runtime`, runtime, 256);
  checkedNumber(`${field}.memory_budget_bytes`, memoryBudgetBytes);
  checkedNumber(`${field}.cores`, cores);
  return { executionProviders, opsets, memoryBudgetBytes, runtime, cores };
}

function replicaOf(replica: Replica__Output): readonly [string, ReplicaState] {
  const { model, version } = parseVersionName(replica.version, "node.replicas.version");
  const state = replicaStates[replica.state as keyof typeof replicaStates];
  if (state === undefined) {
    throw invalid("node.replicas.state", replica.state, Object.keys(replicaStates).join(", "));
  }
  checkText("node.replicas.variant", replica.variant, 63);
  checkText("node.replicas.execution_provider", replica.executionProvider, 64);
  const { variant, executionProvider } = replica;
  // Why something has failed may be as long as the runtime likes; it is no reason to lose the node.
  const reason = replica.reason.slice(0, reasonCharactersMax).replaceAll("\0", "");
  return [versionName(model, version), { model, version, state, reason, variant, executionProvider }];
}

const replicaStates = { STATE_LOADING: "LOADING", STATE_READY: "READY", STATE_FAILED: "FAILED" } as const;

function checkCount(field: string, list: readonly unknown[], countMax: number): void {
  if (list.length > countMax) throw invalid(field, `${list.length} of them`, `at most ${countMax}`);
}

function checkedNumber(field: string, value: number): number {
  if (Number.isSafeInteger(value) && value >= 0) return value;
  throw invalid(field, value, "a whole number from 0 to 2^53 - 1");
}
