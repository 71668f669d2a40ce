import type { Node__Output } from "../../../lib/gen/amaas/registry/v1/Node.ts";
import { parseNodeName, parseVersionName, versionName } from "../../../lib/resource-names.ts";
import { invalid } from "../handlers/requests.ts";
import { Wakeup } from "./wakeup.ts";

/** A version on a node. */
export interface ReplicaState {
  readonly model: string;
  readonly version: number;
  readonly state: "LOADING" | "READY" | "FAILED";
  readonly reason: string;
}

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

/** One version that a node should hold. */
export interface Assigned {
  readonly version: string;
  readonly sha256: string;
  readonly sizeBytes: number;
  readonly aliases: readonly string[];
}

/** A connected node: what it says, and what it is told. */
export class NodeSession {
  state: NodeState;
  /** Cancels the time-out that the last report began. */
  cancelTimeout: () => void = () => undefined;
  readonly #wakeup = new Wakeup();
  readonly #ended = new AbortController();
  #assignment: readonly Assigned[] | undefined;
  #told: string | undefined;

  constructor(state: NodeState) {
    this.state = state;
  }

  /** Tells the node what to hold; saying the same again sends nothing. */
  assign(assignment: readonly Assigned[]): void {
    this.#assignment = assignment;
    this.#wakeup.wake();
  }

  /** Waits for an assignment that differs from the last one; throws the reason for which the session or the signal ended. */
  async nextAssignment(signal: AbortSignal): Promise<readonly Assigned[]> {
    const over = AbortSignal.any([signal, this.#ended.signal]);
    for (;;) {
      await this.#wakeup.next(over);
      const text = JSON.stringify(this.#assignment);
      if (this.#assignment === undefined || text === this.#told) continue;
      this.#told = text;
      return this.#assignment;
    }
  }

  end(reason: unknown): void {
    this.#ended.abort(reason);
  }
}

/** Checks a report; throws REQUEST_INVALID. */
export function nodeStateOf(node: Node__Output | null): NodeState {
  const id = parseNodeName(node?.name ?? "", "node.name");
  const { address, executionProviders, memoryBytes, draining, replicas } = node!;
  if (!/^(\[[0-9a-fA-F:.]+\]|[A-Za-z0-9._-]+):[1-9]\d{0,4}$/.test(address)) {
    throw invalid("node.address", JSON.stringify(address), "host:port");
  }
  const held = replicas.map(({ version: name, state, reason }) => {
    const { model, version } = parseVersionName(name, "node.replicas.version");
    if (!(state in replicaStates)) throw invalid("node.replicas.state", state, Object.keys(replicaStates).join(", "));
    return [
      versionName(model, version),
      { model, version, state: replicaStates[state as keyof typeof replicaStates], reason },
    ] as const;
  });
  return { id, address, executionProviders, memoryBytes, draining, replicas: new Map(held) };
}

const replicaStates = { STATE_LOADING: "LOADING", STATE_READY: "READY", STATE_FAILED: "FAILED" } as const;
