import type { ModelEntry, ReachedAlias, SettingsEntry } from "../store/entries.ts";
import { type FleetDifference, FleetIndex } from "./fleet-index.ts";
import {
  type Assigned,
  type ModelDemand,
  type ModelPlan,
  modelDemand,
  modelPlan,
  type PlanFleet,
  type PlanPolicy,
} from "./model-plan.ts";
import { NodeAssignments } from "./node-assignments.ts";
import { type NodeChanges, NodeRoutes } from "./node-routes.ts";
import type { NodeState } from "./node-state.ts";
import { affordablePlacements, idealPlacement, isDrawnTo, type Place, type Placement, type Wish } from "./placement.ts";
import { changeOf, type RouteChange } from "./routes.ts";

/** What a plan has changed. */
export interface PlanStep {
  /** What of the nodes gateways are to know before the routes, and what no route names behind them. */
  readonly nodes: NodeChanges;
  readonly routes: readonly RouteChange[];
  /** Aliases that have reached where they point, to be kept for other registries and for the next start. */
  readonly reached: readonly ReachedAlias[];
}

/** What a model would have if memory were no question. */
interface Wanted {
  readonly demand: ModelDemand;
  /** One of each version, in the order of the demands. */
  readonly wishes: readonly Wish[];
}

interface Planned {
  /** In the order of the wishes. */
  readonly placements: readonly Placement[];
  readonly plan: ModelPlan;
}

/**
 * The plan of all models: a pure function of entries, fleet and policy, so that registries that know the same plan the same. What
 * has not changed is not planned again, unless memory is short: then the places of all models depend on each other.
 */
export class Planner {
  readonly #policy: PlanPolicy;
  readonly #index = new FleetIndex();
  readonly #nodes = new NodeRoutes();
  readonly #entries = new Map<string, ModelEntry>();
  readonly #dirty = new Set<string>();
  readonly #wanted = new Map<string, Wanted>();
  /** What all that is wanted would take of each node, by its id. */
  readonly #wantedBytes = new Map<string, number>();
  readonly #planned = new Map<string, Planned>();
  readonly #assignments = new NodeAssignments();
  /** A model that `isServed` waits for. */
  #awaited: string | undefined;
  #isReunion = true;
  #isShort = false;

  constructor(policy: PlanPolicy) {
    this.#policy = policy;
  }

  /** Replaces what is known of a model; undefined where it is gone. */
  setEntry(model: string, entry: ModelEntry | undefined): void {
    const settings = keptSettings(this.#entries.get(model)?.settings, entry?.settings);
    if (entry === undefined) this.#entries.delete(model);
    else this.#entries.set(model, { ...entry, settings });
    this.#dirty.add(model);
  }

  /** A node's state has become another one; undefined stands for a node that is not there. */
  replaceNode(before: NodeState | undefined, after: NodeState | undefined): void {
    this.#nodes.replace(before, after);
    const difference = this.#index.replace(before, after);
    for (const model of difference.models) this.#dirty.add(model);
    if (difference.left === undefined && difference.joined === undefined) return;
    for (const [model, wanted] of this.#wanted) {
      if (isTouched(wanted, difference) || this.#isHomeless(model)) this.#dirty.add(model);
    }
  }

  /** From now on versions are placed; until then they stay where they are. */
  endReunion(): void {
    if (!this.#isReunion) return;
    this.#isReunion = false;
    for (const model of this.#entries.keys()) this.#dirty.add(model);
  }

  /**
   * Whether nodes are back, and whatever has a place is ready somewhere, or somewhere has failed to load. A catalogue with nothing
   * to hold has nothing to wait for.
   */
  get isServed(): boolean {
    if (this.#awaited !== undefined && this.#isAwaited(this.#awaited)) return false;
    this.#awaited = [...this.#planned.keys()].find((model) => this.#isAwaited(model));
    if (this.#awaited !== undefined) return false;
    const placements = [...this.#planned.values()].flatMap((planned) => planned.placements);
    return placements.length === 0 || (!this.#isReunion && placements.some(({ chosen }) => chosen.length > 0));
  }

  /** Everything that a node should hold, in the order of loading; the same array for as long as it says the same. */
  assignmentOf(node: string): readonly Assigned[] {
    return this.#assignments.of(node);
  }

  /** Plans what has changed since the last time. */
  plan(): PlanStep {
    const dirty = new Set(this.#dirty);
    this.#dirty.clear();
    const reached = [...dirty].flatMap((model) => this.#want(model));
    const wasShort = this.#isShort;
    this.#isShort = this.#index.members.some(({ id, budgetBytes }) => (this.#wantedBytes.get(id) ?? 0) > budgetBytes);
    const affordable = this.#isShort ? this.#affordable() : undefined;
    const models = this.#isShort || wasShort ? new Set([...dirty, ...this.#wanted.keys()]) : dirty;
    const routes = [...models].flatMap((model) => {
      const placements = affordable?.get(model) ?? this.#wanted.get(model)?.wishes.map(({ ideal }) => ideal) ?? [];
      const isOld = !dirty.has(model) && isSame(placements, this.#planned.get(model)!.placements);
      return isOld ? [] : (this.#finish(model, placements) ?? []);
    });
    return { nodes: this.#nodes.changes(), routes, reached };
  }

  /** Whether a version of the model has a place and is still loading wherever it is held. */
  #isAwaited(model: string): boolean {
    const { placements } = this.#planned.get(model) ?? { placements: [] };
    return placements.some(({ chosen }, index) => {
      const { version } = this.#wanted.get(model)!.wishes[index].demand;
      const isDecided = () => this.#index.holdingsOf(version).some(({ replica }) => replica.state !== "LOADING");
      return chosen.length > 0 && !isDecided();
    });
  }

  /** Whether a version of the model has no place: the reason that its route gives depends on all nodes. */
  #isHomeless(model: string): boolean {
    return this.#planned.get(model)?.placements.some((placement) => placesOf(placement).length === 0) ?? false;
  }

  get #fleet(): PlanFleet {
    return { index: this.#index, isReunion: this.#isReunion };
  }

  #want(model: string): readonly ReachedAlias[] {
    this.#claim(this.#wanted.get(model)?.wishes ?? [], -1);
    const entry = this.#entries.get(model);
    if (entry === undefined) {
      this.#wanted.delete(model);
      return [];
    }
    const demand = modelDemand(entry, this.#fleet, this.#policy);
    const wishes = demand.demands.map((one) => ({ demand: one, ideal: idealPlacement(one, this.#index.members) }));
    this.#claim(wishes, 1);
    this.#wanted.set(model, { demand, wishes });
    if (demand.reached.length > 0) this.#entries.set(model, withReached(entry, demand.reached));
    return demand.reached;
  }

  #claim(wishes: readonly Wish[], sign: 1 | -1): void {
    for (const { ideal } of wishes) {
      for (const { member, fit } of placesOf(ideal)) {
        const bytes = (this.#wantedBytes.get(member.id) ?? 0) + sign * fit.memoryBytes;
        if (bytes === 0) this.#wantedBytes.delete(member.id);
        else this.#wantedBytes.set(member.id, bytes);
      }
    }
  }

  /** The placements of all models where there is not memory for everything, by model. */
  #affordable(): ReadonlyMap<string, readonly Placement[]> {
    const models = [...this.#wanted.keys()].sort();
    const wishes = models.flatMap((model) => this.#wanted.get(model)!.wishes);
    const placements = affordablePlacements(wishes, this.#index.members);
    let begin = 0;
    return new Map(
      models.map((model) => {
        const end = begin + this.#wanted.get(model)!.wishes.length;
        const own = placements.slice(begin, end);
        begin = end;
        return [model, own];
      }),
    );
  }

  #finish(model: string, placements: readonly Placement[]): RouteChange | undefined {
    const [wanted, before] = [this.#wanted.get(model), this.#planned.get(model)];
    const plan = wanted && modelPlan(wanted.demand, placements.map(placesOf), this.#fleet);
    if (plan === undefined) this.#planned.delete(model);
    else this.#planned.set(model, { placements, plan });
    this.#assignments.replace(model, before?.plan.assigned, plan?.assigned);
    return changeOf(before?.plan.route, plan?.route);
  }
}

/** Whether the members that have left and joined change what is wanted. */
function isTouched({ wishes }: Wanted, { left, joined }: FleetDifference): boolean {
  return wishes.some((wish) => {
    const places = placesOf(wish.ideal);
    return places.some(({ member }) => member === left) || (joined !== undefined && isDrawnTo(wish, joined));
  });
}

/** The same values as before where they say the same: what gateways alone are told is no reason to tell nodes anything. */
function keptSettings(before: SettingsEntry | undefined, after: SettingsEntry | undefined): SettingsEntry | undefined {
  if (before === undefined || after === undefined) return after;
  const isSame = JSON.stringify(before.values) === JSON.stringify(after.values);
  return isSame ? { ...after, values: before.values } : after;
}

function withReached(entry: ModelEntry, reached: readonly ReachedAlias[]): ModelEntry {
  const aliases = new Map(entry.aliases);
  for (const { alias } of reached) {
    const { present } = aliases.get(alias)!;
    aliases.set(alias, { present, reached: present });
  }
  return { ...entry, aliases };
}

function isSame(a: readonly Placement[], b: readonly Placement[]): boolean {
  return a.every((placement, index) => {
    const [places, others] = [placesOf(placement), placesOf(b[index])];
    return (
      places.length === others.length &&
      places.every(({ member, fit }, place) => member === others[place].member && fit === others[place].fit)
    );
  });
}

function placesOf({ chosen, kept }: Placement): readonly Place[] {
  return kept.length === 0 ? chosen : [...chosen, ...kept];
}
