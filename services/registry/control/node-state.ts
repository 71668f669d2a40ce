/** What a node last said of itself. */
export interface NodeState {
  readonly id: string;
  /** Where gateways reach it, "host:port". */
  readonly address: string;
  /** Where it stands; empty where it does not say. */
  readonly zone: string;
  readonly capabilities: NodeCapabilities;
  readonly memoryBytes: number;
  readonly draining: boolean;
  /** By the name of the version. */
  readonly replicas: ReadonlyMap<string, ReplicaState>;
  readonly load: NodeLoad;
}

/** What a node can run. */
export interface NodeCapabilities {
  /** Best first. */
  readonly executionProviders: readonly string[];
  /** The newest operator set by domain; empty where the node does not say. */
  readonly opsets: Readonly<Record<string, number>>;
  /** 0 means that it sets no bound. */
  readonly memoryBudgetBytes: number;
  readonly runtime: string;
  readonly cores: number;
  /** Why it does not offer others that it is set to offer, by their names. */
  readonly missingExecutionProviders: Readonly<Record<string, string>>;
}

/** How busy a node is. */
export interface NodeLoad {
  readonly outstandingRequests: number;
  readonly answeredRequests: number;
}

/** A version on a node. */
export interface ReplicaState {
  readonly model: string;
  readonly version: number;
  readonly state: "LOADING" | "READY" | "FAILED";
  readonly reason: string;
  /** The id of the variant; empty where the node does not say. */
  readonly variant: string;
  /** What it runs on; empty where the node does not say. */
  readonly executionProvider: string;
  /** What runs those nodes of the model that this one cannot. */
  readonly fallbackExecutionProviders: readonly string[];
  /** Why it could not be loaded as it should be by now, and stays as it was; empty where there is no such failure. */
  readonly exchangeFailure: string;
}

/** Whether two reports of a node mean the same place for replicas: its load, and what it holds, aside. */
export function isSamePlace(before: NodeState, after: NodeState): boolean {
  return (
    before.draining === after.draining &&
    before.address === after.address &&
    JSON.stringify(before.capabilities) === JSON.stringify(after.capabilities)
  );
}

/** The names of the versions of which two reports of a node say different things. */
export function changedReplicas(before: NodeState, after: NodeState): ReadonlySet<string> {
  const versions = new Set<string>();
  if (before.replicas === after.replicas) return versions;
  for (const [version, replica] of before.replicas) {
    if (!isSameReplica(replica, after.replicas.get(version))) versions.add(version);
  }
  for (const version of after.replicas.keys()) if (!before.replicas.has(version)) versions.add(version);
  return versions;
}

function isSameReplica(a: ReplicaState, b: ReplicaState | undefined): boolean {
  return (
    a.state === b?.state &&
    a.reason === b.reason &&
    a.exchangeFailure === b.exchangeFailure &&
    a.variant === b.variant &&
    a.executionProvider === b.executionProvider &&
    String(a.fallbackExecutionProviders) === String(b.fallbackExecutionProviders)
  );
}
