import { hashOf } from "../../../lib/rendezvous.ts";
import {
  changedReplicas,
  isSamePlace,
  type NodeCapabilities,
  type NodeState,
  type ReplicaState,
} from "./node-state.ts";

/** A node that may be told to hold something: it reports, and does not drain. */
export interface Member {
  readonly id: string;
  readonly address: string;
  /** Of its name. */
  readonly hash: number;
  /** Infinity where it sets no bound. */
  readonly budgetBytes: number;
  readonly capabilities: NodeCapabilities;
  /** Equal for members that run the same, from 0. */
  readonly kind: number;
}

/** A version on a member. */
export interface Holding {
  readonly member: Member;
  readonly replica: ReplicaState;
}

/** What of the fleet has changed. A member that is another one now has left and joined. */
export interface FleetDifference {
  readonly left: Member | undefined;
  readonly joined: Member | undefined;
  /** The ids of the models of which something else is held. */
  readonly models: ReadonlySet<string>;
}

/** The members of the fleet and what they hold, found by version. */
export class FleetIndex {
  readonly #byId = new Map<string, Member>();
  readonly #holdings = new Map<string, Map<string, Holding>>();
  readonly #kinds = new Map<string, number>();
  #members: readonly Member[] | undefined;

  /** In the order of their names. */
  get members(): readonly Member[] {
    this.#members ??= [...this.#byId.values()].sort((a, b) => (a.id < b.id ? -1 : 1));
    return this.#members;
  }

  /** The members that have a version, in whatever state, in the order of their names. */
  holdingsOf(version: string): readonly Holding[] {
    const holdings = this.#holdings.get(version);
    return holdings === undefined ? [] : [...holdings.values()].sort((a, b) => (a.member.id < b.member.id ? -1 : 1));
  }

  /** A node's state has become another one; undefined stands for a node that is not there. */
  replace(before: NodeState | undefined, after: NodeState | undefined): FleetDifference {
    const [was, is] = [before, after].map((state) => (state?.draining ? undefined : state));
    const left = was && this.#byId.get(was.id);
    if (left && is && isSamePlace(was!, is)) {
      const versions = changedReplicas(was!, is);
      for (const version of versions) this.#hold(left, version, is.replicas.get(version));
      return { left: undefined, joined: undefined, models: modelsOf(versions, [was!, is]) };
    }
    const joined = is && this.#memberOf(is);
    for (const version of was?.replicas.keys() ?? []) this.#hold(left!, version, undefined);
    if (left) this.#byId.delete(left.id);
    if (joined) this.#byId.set(joined.id, joined);
    for (const [version, replica] of is?.replicas ?? []) this.#hold(joined!, version, replica);
    this.#members = undefined;
    const states = [was, is].filter((state) => state !== undefined);
    return {
      left,
      joined,
      models: modelsOf(
        states.flatMap(({ replicas }) => [...replicas.keys()]),
        states,
      ),
    };
  }

  #hold(member: Member, version: string, replica: ReplicaState | undefined): void {
    const holdings = this.#holdings.get(version) ?? new Map<string, Holding>();
    if (replica === undefined) holdings.delete(member.id);
    else holdings.set(member.id, { member, replica });
    if (holdings.size === 0) this.#holdings.delete(version);
    else this.#holdings.set(version, holdings);
  }

  #memberOf({ id, address, capabilities }: NodeState): Member {
    const { executionProviders, opsets, memoryBudgetBytes } = capabilities;
    const text = JSON.stringify([executionProviders, Object.entries(opsets).sort()]);
    const kind = this.#kinds.get(text) ?? this.#kinds.size;
    this.#kinds.set(text, kind);
    return { id, address, hash: hashOf(id), budgetBytes: memoryBudgetBytes || Infinity, capabilities, kind };
  }
}

function modelsOf(versions: Iterable<string>, states: readonly NodeState[]): ReadonlySet<string> {
  const models = new Set<string>();
  for (const version of versions) {
    for (const { replicas } of states) {
      const replica = replicas.get(version);
      if (replica !== undefined) models.add(replica.model);
    }
  }
  return models;
}
