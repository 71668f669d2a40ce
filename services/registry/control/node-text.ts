import { versionName } from "../../../lib/resource-names.ts";
import type { NodeState, ReplicaState } from "./node-state.ts";

/** A node's state as JSON, for registries of the same release. */
export function textOfNode({ replicas, ...state }: NodeState): string {
  return JSON.stringify({ ...state, replicas: [...replicas.values()] });
}

/** The state that `textOfNode` was given. */
export function nodeOfText(text: string): NodeState {
  const { replicas, ...state } = JSON.parse(text) as Omit<NodeState, "replicas"> & {
    readonly replicas: readonly ReplicaState[];
  };
  return { ...state, replicas: new Map(replicas.map((one) => [versionName(one.model, one.version), one])) };
}
