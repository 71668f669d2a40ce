/** What a node last said of itself. */
export interface NodeState {
  readonly id: string;
  readonly address: string;
  readonly executionProviders: readonly string[];
  readonly memoryBytes: number;
  readonly draining: boolean;
  /** By the name of the version. */
  readonly replicas: ReadonlyMap<string, ReplicaState>;
}

/** A version on a node. */
export interface ReplicaState {
  readonly model: string;
  readonly version: number;
  readonly state: "LOADING" | "READY" | "FAILED";
  readonly reason: string;
}

/** The models of which two reports of a node say different things. */
export function changedModels(before: NodeState, after: NodeState): Set<string> {
  const models = new Set<string>();
  for (const [one, other] of [
    [before, after],
    [after, before],
  ]) {
    for (const [version, replica] of one.replicas) {
      if (other.replicas.get(version)?.state !== replica.state) models.add(replica.model);
    }
  }
  return models;
}
