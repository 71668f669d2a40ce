import type { NodeState } from "./node-state.ts";

/** What of a node matters to gateways. */
export interface NodeRoute {
  readonly address: string;
  /** Empty where the node does not say. */
  readonly zone: string;
  /** Its cores, at least 1. */
  readonly capacity: number;
}

/** What has changed of the nodes since the last time. */
export interface NodeChanges {
  /** New ones, and those of which something else is known. */
  readonly told: readonly NodeRoute[];
  /** The addresses where there is no node any longer. */
  readonly gone: readonly string[];
}

/** The nodes by their addresses. Where two have the same, because one takes the place of the other, that which came last counts. */
export class NodeRoutes {
  readonly #byAddress = new Map<string, Map<string, NodeRoute>>();
  /** As of the last `changes`. */
  readonly #told = new Map<string, NodeRoute>();
  readonly #dirty = new Set<string>();

  /** A node's state has become another one; undefined stands for a node that is not there. */
  replace(before: NodeState | undefined, after: NodeState | undefined): void {
    const [was, is] = [before && nodeRoute(before), after && nodeRoute(after)];
    if (isSame(was, is)) return;
    if (was) {
      const nodes = this.#byAddress.get(was.address);
      nodes?.delete(before!.id);
      if (nodes?.size === 0) this.#byAddress.delete(was.address);
      this.#dirty.add(was.address);
    }
    if (is) {
      const nodes = this.#byAddress.get(is.address) ?? new Map<string, NodeRoute>();
      this.#byAddress.set(is.address, nodes.set(after!.id, is));
      this.#dirty.add(is.address);
    }
  }

  /** What has changed since the last time, which is then told. */
  changes(): NodeChanges {
    const told: NodeRoute[] = [];
    const gone: string[] = [];
    for (const address of this.#dirty) {
      const before = this.#told.get(address);
      const now = [...(this.#byAddress.get(address)?.values() ?? [])].at(-1);
      if (isSame(before, now)) continue;
      if (now === undefined) {
        this.#told.delete(address);
        gone.push(address);
      } else {
        this.#told.set(address, now);
        told.push(now);
      }
    }
    this.#dirty.clear();
    return { told, gone };
  }
}

function nodeRoute({ address, zone, capabilities }: NodeState): NodeRoute {
  return { address, zone, capacity: Math.max(1, capabilities.cores) };
}

function isSame(a: NodeRoute | undefined, b: NodeRoute | undefined): boolean {
  return a?.address === b?.address && a?.zone === b?.zone && a?.capacity === b?.capacity;
}
