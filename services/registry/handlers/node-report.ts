import type { Node__Output } from "../../../lib/gen/amaas/registry/v1/Node.ts";
import type { NodeCapabilities__Output } from "../../../lib/gen/amaas/registry/v1/NodeCapabilities.ts";
import type { Replica__Output } from "../../../lib/gen/amaas/registry/v1/Replica.ts";
import { idPattern, idPatternText, parseNodeName, parseVersionName } from "../../../lib/resource-names.ts";
import type { NodeCapabilities, NodeState, ReplicaState } from "../control/node-state.ts";
import { checkText, invalid } from "./requests.ts";

/** Checks a report; `before` is what the last one on the same stream said, if there was one. Throws REQUEST_INVALID. */
export function nodeStateOf(node: Node__Output | null, before?: NodeState): NodeState {
  const id = parseNodeName(node?.name ?? "", "node.name");
  if (before && id !== before.id) throw invalid("node.name", node?.name, `nodes/${before.id}, as the stream began`);
  const { address, zone, capabilities, memoryBytes, draining, replicas, load } = node!;
  const port = /^(?:\[[0-9a-fA-F:.]{2,45}\]|[A-Za-z0-9._-]{1,253}):([1-9]\d{0,4})$/.exec(address)?.[1];
  if (port === undefined || Number(port) > portMax) {
    throw invalid("node.address", JSON.stringify(address.slice(0, 300)), `host:port, with a port from 1 to ${portMax}`);
  }
  if (zone !== "" && !idPattern.test(zone)) {
    throw invalid("node.zone", JSON.stringify(zone.slice(0, 100)), `${idPatternText}, or empty`);
  }
  checkCount("node.replicas", replicas, replicasMax);
  return {
    id,
    address,
    zone,
    capabilities: capabilitiesOf(capabilities),
    memoryBytes: checkedNumber("node.memory_bytes", memoryBytes),
    draining,
    replicas: replicasOf(replicas, before?.replicas),
    load: {
      outstandingRequests: checkedNumber("node.load.outstanding_requests", load?.outstandingRequests ?? 0),
      answeredRequests: checkedNumber("node.load.answered_requests", load?.answeredRequests ?? 0),
    },
  };
}

const portMax = 65_535;
const replicasMax = 100_000;
const reasonCharactersMax = 1024;

function capabilitiesOf(capabilities: NodeCapabilities__Output | null): NodeCapabilities {
  const { executionProviders = [], opsets = {}, memoryBudgetBytes = 0, runtime = "", cores = 0 } = capabilities ?? {};
  const missing = Object.entries(capabilities?.missingExecutionProviders ?? {});
  const field = "node.capabilities";
  checkCount(`${field}.execution_providers`, executionProviders, 64);
  for (const provider of executionProviders) checkText(`${field}.execution_providers`, provider, 64);
  checkCount(`${field}.missing_execution_providers`, missing, 64);
  for (const [name] of missing) checkText(`${field}.missing_execution_providers`, name, 64);
  checkCount(`${field}.opsets`, Object.keys(opsets), 256);
  for (const [domain, number] of Object.entries(opsets)) {
    checkText(`${field}.opsets`, domain, 256);
    checkedNumber(`${field}.opsets[${JSON.stringify(domain)}]`, number);
  }
  checkText(`${field}.runtime`, runtime, 256);
  checkedNumber(`${field}.memory_budget_bytes`, memoryBudgetBytes);
  checkedNumber(`${field}.cores`, cores);
  const missingExecutionProviders = Object.fromEntries(missing.map(([name, why]) => [name, shortened(why)]));
  return { executionProviders, opsets, memoryBudgetBytes, runtime, cores, missingExecutionProviders };
}

/** Most reports say what the last one said: then it is the same map again. */
function replicasOf(
  replicas: readonly Replica__Output[],
  before: NodeState["replicas"] | undefined,
): NodeState["replicas"] {
  const known = (replica: Replica__Output) => {
    const state = before?.get(replica.version);
    return state !== undefined && isSame(replica, state) ? state : undefined;
  };
  if (before?.size === replicas.length && replicas.every((replica) => known(replica) !== undefined)) return before;
  return new Map(replicas.map((replica) => [replica.version, known(replica) ?? replicaOf(replica)]));
}

function isSame(replica: Replica__Output, before: ReplicaState): boolean {
  return (
    replica.state === `STATE_${before.state}` &&
    replica.reason === before.reason &&
    replica.exchangeFailure === before.exchangeFailure &&
    replica.variant === before.variant &&
    replica.executionProvider === before.executionProvider &&
    String(replica.fallbackExecutionProviders) === String(before.fallbackExecutionProviders)
  );
}

function replicaOf(replica: Replica__Output): ReplicaState {
  const { model, version } = parseVersionName(replica.version, "node.replicas.version");
  const state = replicaStates[replica.state as keyof typeof replicaStates];
  if (state === undefined) {
    throw invalid("node.replicas.state", replica.state, Object.keys(replicaStates).join(", "));
  }
  checkText("node.replicas.variant", replica.variant, 63);
  checkText("node.replicas.execution_provider", replica.executionProvider, 64);
  const { variant, executionProvider, fallbackExecutionProviders } = replica;
  checkCount("node.replicas.fallback_execution_providers", fallbackExecutionProviders, 64);
  for (const name of fallbackExecutionProviders) checkText("node.replicas.fallback_execution_providers", name, 64);
  return {
    model,
    version,
    state,
    reason: shortened(replica.reason),
    variant,
    executionProvider,
    fallbackExecutionProviders,
    exchangeFailure: shortened(replica.exchangeFailure),
  };
}

/** Why something has failed may be as long as the runtime likes; it is no reason to lose the node. */
function shortened(reason: string): string {
  return reason.slice(0, reasonCharactersMax).replaceAll("\0", "");
}

const replicaStates = { STATE_LOADING: "LOADING", STATE_READY: "READY", STATE_FAILED: "FAILED" } as const;

function checkCount(field: string, list: readonly unknown[], countMax: number): void {
  if (list.length > countMax) throw invalid(field, `${list.length} of them`, `at most ${countMax}`);
}

function checkedNumber(field: string, value: number): number {
  if (Number.isSafeInteger(value) && value >= 0) return value;
  throw invalid(field, value, "a whole number from 0 to 2^53 - 1");
}
