import { hashOf } from "../../../lib/rendezvous.ts";
import { parseVersionName, versionName } from "../../../lib/resource-names.ts";
import type { AliasAim, ModelEntry, ReachedAlias, SettingsEntry, VersionEntry } from "../store/entries.ts";
import { type Fit, fitOf, heldFit, lastingMemoryOf } from "./fit.ts";
import type { FleetIndex, Holding, Member } from "./fleet-index.ts";
import type { Demand, Place } from "./placement.ts";
import { unreadyReason, unservableReason } from "./reasons.ts";
import { aimOf, isAnswered, type ModelRoute, type VersionRoute } from "./routes.ts";
import { isServable, type Priority, type ServedVersion, servedVersions } from "./serving-policy.ts";

export interface PlanPolicy {
  readonly replicasPerVersion: number;
  readonly newestVersionsServed: number;
}

/** What of the fleet a plan depends on. */
export interface PlanFleet {
  readonly index: FleetIndex;
  /** Whether nodes may still be coming back after a start of the registry: every version stays where it is. */
  readonly isReunion: boolean;
}

/** What should be held of one model, before it has places. */
export interface ModelDemand {
  readonly entry: ModelEntry;
  /** Where aliases lead, by id. */
  readonly aims: ReadonlyMap<string, AliasAim>;
  /** Aliases that have reached where they point just now. */
  readonly reached: readonly ReachedAlias[];
  /** In the order of loading. */
  readonly demands: readonly Demand[];
}

/** One version that a node should hold. */
export interface Assigned {
  /** Its name. */
  readonly version: string;
  readonly priority: Priority;
  readonly fit: Fit;
  /** The ids of the aliases that point at it. */
  readonly aliases: readonly string[];
  /** How it is run, the same object for as long as it is the same; undefined where nothing is set. */
  readonly settings: SettingsEntry["values"] | undefined;
}

/** What should hold of one model: what each node is to hold, in the order of loading, and where requests go. */
export interface ModelPlan {
  readonly assigned: ReadonlyMap<string, readonly Assigned[]>;
  readonly route: ModelRoute;
}

/**
 * What should be held of a model: what its aliases point at, what they still lead to, and what its version policy names. While
 * nodes come back after a start of the registry they keep what they hold of it.
 */
export function modelDemand(entry: ModelEntry, fleet: PlanFleet, policy: PlanPolicy): ModelDemand {
  const { id: model, aliases } = entry;
  const isReady = (version: number) =>
    fleet.index.holdingsOf(versionName(model, version)).some(({ replica }) => replica.state === "READY");
  const aims = new Map<string, AliasAim>();
  const reached: ReachedAlias[] = [];
  const needed: AliasAim[] = [];
  for (const [alias, known] of aliases) {
    const { present, reached: before } = known;
    const aim = aimOf(known, isReady);
    aims.set(alias, aim);
    needed.push(present);
    if (before?.revision === present.revision) continue;
    if (aim === present && isAnswered(present, isReady)) reached.push({ model, alias, revision: present.revision });
    else if (before !== undefined) needed.push(before);
  }
  const served = servedVersions(entry, needed, policy.newestVersionsServed);
  const demands = fleet.isReunion ? reunionDemands(entry, served, fleet) : served.map(demandOf);
  return { entry, aims, reached, demands };

  function demandOf({ version, priority }: ServedVersion): Demand {
    const count = entry.settings?.values.replicas || policy.replicasPerVersion;
    const holdings = fleet.index.holdingsOf(versionName(model, version.number));
    return newDemand({ entry, version, priority, count, holdings });
  }
}

/** Every version stays where it is, in whatever state, and whether it is served or not. */
function reunionDemands(entry: ModelEntry, served: readonly ServedVersion[], { index }: PlanFleet): readonly Demand[] {
  const settings = entry.settings?.values ?? {};
  const servedNumbers = new Set(served.map(({ version }) => version.number));
  const others = entry.versions.filter((version) => isServable(version) && !servedNumbers.has(version.number));
  const all = [...served, ...others.map((version): ServedVersion => ({ version, priority: 2 }))];
  return all.flatMap(({ version, priority }) => {
    const holdings = index.holdingsOf(versionName(entry.id, version.number));
    if (holdings.length === 0 && !servedNumbers.has(version.number)) return [];
    const demand = newDemand({ entry, version, priority, count: holdings.length, holdings });
    const fitOn = (member: Member) => {
      const holding = holdings.find((one) => one.member === member);
      return holding && (keptFit(version, settings, holding) ?? demand.fitOn(member));
    };
    return [{ ...demand, fitOn }];
  });
}

interface DemandParts {
  readonly entry: ModelEntry;
  readonly version: VersionEntry;
  readonly priority: Priority;
  readonly count: number;
  readonly holdings: readonly Holding[];
}

function newDemand({ entry, version, priority, count, holdings }: DemandParts): Demand {
  const name = versionName(entry.id, version.number);
  const settings = entry.settings?.values ?? {};
  // Nodes of one kind get the same.
  const fits = new Map<number, Fit | undefined>();
  const fitOn = ({ kind, capabilities, budgetBytes }: Member) => {
    if (!fits.has(kind)) fits.set(kind, fitOf(version, settings, capabilities));
    return loadable(fits.get(kind), budgetBytes);
  };
  const readyOn = holdings.flatMap((holding) => {
    const { member, replica } = holding;
    const fit = fitOn(member) ?? keptFit(version, settings, holding);
    return replica.state === "READY" && fit !== undefined ? [{ member, fit }] : [];
  });
  const bytesMin = Math.min(...version.variants.map((variant) => lastingMemoryOf(variant, settings)));
  return { version: name, hash: hashOf(name), priority, count, bytesMin, fitOn, readyOn };
}

function keptFit(version: VersionEntry, settings: SettingsEntry["values"], { member, replica }: Holding) {
  return loadable(heldFit(version, settings, replica, member.capabilities), member.budgetBytes);
}

/** A node never loads what needs more than it has in all, also where that takes nothing of it for good. */
function loadable(fit: Fit | undefined, budgetBytes: number): Fit | undefined {
  return fit !== undefined && fit.loadedBytes <= budgetBytes ? fit : undefined;
}

/**
 * The plan of a model whose demands have got these places. A replica that is to be unloaded is out of the route in the same plan.
 */
export function modelPlan(
  { entry, aims, demands }: ModelDemand,
  places: readonly (readonly Place[])[],
  fleet: PlanFleet,
): ModelPlan {
  const placesOf = new Map(demands.map(({ version }, index) => [parseVersionName(version).version, places[index]]));
  const versions = entry.versions.map((version) => {
    const meant = placesOf.get(version.number);
    return meant === undefined ? idleRoute(version) : versionRoute(entry, version, meant, fleet);
  });
  const route = { model: entry.id, versions, aliases: aims, traffic: entry.settings?.traffic };
  return { assigned: assignedOf(entry, demands, places), route };
}

function versionRoute(
  entry: ModelEntry,
  version: VersionEntry,
  places: readonly Place[],
  { index, isReunion }: PlanFleet,
): VersionRoute {
  const holdings = index.holdingsOf(versionName(entry.id, version.number));
  const ready = holdings.filter(
    ({ member, replica }) => replica.state === "READY" && places.some((place) => place.member === member),
  );
  const addresses = ready.map(({ member }) => member.address).sort();
  const unready = { entry, version, places, holdings, members: index.members, isReunion };
  return { version: version.number, addresses, reason: addresses.length > 0 ? "" : unreadyReason(unready) };
}

/** Of a version that should be held nowhere: the same object for as long as it is the same, for there may be very many. */
function idleRoute(version: VersionEntry): VersionRoute {
  let route = idleRoutes.get(version);
  if (route === undefined) {
    route = { version: version.number, addresses: [], reason: unservableReason(version) ?? "" };
    idleRoutes.set(version, route);
  }
  return route;
}

const idleRoutes = new WeakMap<VersionEntry, VersionRoute>();

function assignedOf(entry: ModelEntry, demands: readonly Demand[], places: readonly (readonly Place[])[]) {
  const assigned = new Map<string, Assigned[]>();
  const values = entry.settings?.values ?? {};
  const settings = Object.keys(values).length > 0 ? values : undefined;
  for (const [index, { version, priority }] of demands.entries()) {
    const pointing = [...entry.aliases].filter(([, { present }]) =>
      present.targets.some((target) => versionName(entry.id, target.version) === version),
    );
    const aliases = pointing.map(([alias]) => alias).sort();
    for (const { member, fit } of places[index]) {
      const list = assigned.get(member.id) ?? [];
      list.push({ version, priority, fit, aliases, settings });
      assigned.set(member.id, list);
    }
  }
  return assigned;
}
