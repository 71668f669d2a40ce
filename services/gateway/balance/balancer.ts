import type { Route, RoutedModel, VersionMemory } from "../routed-model.ts";
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
  /** Versions that were called. */
  readonly #called = new Map<VersionMemory, Pick<Route, "model" | "version">>();
  #ejectionCount = 0;

  constructor(settings: BalanceSettings, parts: BalanceParts) {
    this.#settings = settings;
    this.#parts = parts;
  }

  /** Chooses one of the route's replicas, or of those that are still to be asked; `candidates` is not empty. See `ReplicaGroup`. */
  pick(route: Route, nodes: NodesFacts, candidates: readonly string[] = route.replicas): string {
    const group = route.memory.group ?? this.#newGroup(route);
    group.update(route.replicas, nodes);
    return group.pick(candidates);
  }

  /** A call on a replica has ended; `ms` is how long its answer took to begin, or how long there was none. */
  note({ memory }: Route, address: string, outcome: Outcome, ms: number): void {
    if (memory.group?.note(address, outcome, ms)) this.#ejectionCount++;
  }

  /** Forgets what is not in the table any longer. */
  retain(models: ReadonlyMap<string, RoutedModel>): void {
    for (const [memory, { model, version }] of this.#called) {
      if (models.get(model)?.versions.get(version)?.memory !== memory) this.#called.delete(memory);
    }
  }

  /** How often a replica was ejected, since the start. */
  get ejectionCount(): number {
    return this.#ejectionCount;
  }

  *ejected(): Generator<EjectedReplica> {
    for (const [{ group }, { model, version }] of this.#called) {
      for (const { place } of group!.ejected) yield { model, version, node: place.address };
    }
  }

  #newGroup({ memory, model, version }: Route): ReplicaGroup {
    memory.group = new ReplicaGroup(this.#settings, this.#parts);
    this.#called.set(memory, { model, version });
    return memory.group;
  }
}
