import type { ModelRoute } from "../route-table.ts";
import type { Route } from "../routing.ts";
import type { BalanceSettings } from "./balance-settings.ts";
import type { Outcome } from "./replica.ts";
import { type BalanceParts, type NodesFacts, ReplicaGroup } from "./replica-group.ts";

/** A replica that gets no calls for a while. */
export interface EjectedReplica {
  readonly model: string;
  readonly version: number;
  readonly node: string;
}

/** Spreads calls over replicas; knows those versions that are called, and of each of their replicas how it has done. */
export class Balancer {
  readonly #settings: BalanceSettings;
  readonly #parts: BalanceParts;
  /** By model, then by version. */
  readonly #groups = new Map<string, Map<number, ReplicaGroup>>();
  #ejectionCount = 0;

  constructor(settings: BalanceSettings, parts: BalanceParts) {
    this.#settings = settings;
    this.#parts = parts;
  }

  /** Chooses one of the route's replicas, or of those that are still to be asked; `candidates` is not empty. See `ReplicaGroup`. */
  pick(route: Route, nodes: NodesFacts, candidates: readonly string[] = route.replicas): string {
    const group = this.#groupOf(route);
    group.update(route.replicas, nodes);
    return group.pick(candidates);
  }

  /** A call on a replica has ended; `ms` is how long its answer took to begin, or how long there was none. */
  note({ model, version }: Route, address: string, outcome: Outcome, ms: number): void {
    if (this.#groups.get(model)?.get(version)?.note(address, outcome, ms)) this.#ejectionCount++;
  }

  /** Forgets what is not in the table any longer. */
  retain(models: ReadonlyMap<string, ModelRoute>): void {
    for (const [model, groups] of this.#groups) {
      const versions = models.get(model)?.versions;
      for (const version of groups.keys()) if (!versions?.has(version)) groups.delete(version);
      if (groups.size === 0) this.#groups.delete(model);
    }
  }

  /** How often a replica was ejected, since the start. */
  get ejectionCount(): number {
    return this.#ejectionCount;
  }

  *ejected(): Generator<EjectedReplica> {
    for (const [model, groups] of this.#groups) {
      for (const [version, group] of groups) {
        for (const { place } of group.ejected) yield { model, version, node: place.address };
      }
    }
  }

  #groupOf({ model, version }: Route): ReplicaGroup {
    let groups = this.#groups.get(model);
    if (groups === undefined) {
      groups = new Map();
      this.#groups.set(model, groups);
    }
    let group = groups.get(version);
    if (group === undefined) {
      group = new ReplicaGroup(this.#settings, this.#parts);
      groups.set(version, group);
    }
    return group;
  }
}
