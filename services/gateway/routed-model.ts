import { defaultAlias } from "../../lib/resource-names.ts";
import type { ReplicaGroup } from "./balance/replica-group.ts";
import { type Draws, drawsOf, readyTargets } from "./pick-target.ts";
import type { AliasRoute, AliasTarget, ModelRoute, VersionRoute } from "./route-facts.ts";

/** A version as calls meet it. */
export interface Route extends VersionRoute {
  readonly model: string;
  readonly version: number;
  /** Those of the alias that the call follows, where there are any. */
  readonly mirrors?: AliasRoute["mirrors"];
  readonly memory: VersionMemory;
}

/** What a gateway has come to know of a version by calling it: the same from table to table, as long as the version is in it. */
export interface VersionMemory {
  /** Of the balancer; undefined until the first call. */
  group?: ReplicaGroup;
}

/** A target of an alias as calls meet it. */
export interface RoutedTarget extends AliasTarget {
  /** With the mirrors of the alias; undefined for a version that there is not. */
  readonly route: Route | undefined;
}

/** An alias as calls meet it. */
export interface RoutedAlias extends AliasRoute {
  /** The routes of `choices`, to draw one of them. */
  readonly draws: Draws<Route | undefined>;
  readonly targets: readonly RoutedTarget[];
  /** The targets that calls go to: those that are ready, or all where none is. */
  readonly choices: readonly RoutedTarget[];
}

/** A model as calls meet it: what decides where they go is worked out once, when it changes, and lies close to it. */
export interface RoutedModel extends ModelRoute {
  readonly versions: ReadonlyMap<number, Route>;
  readonly aliases: ReadonlyMap<string, RoutedAlias>;
  /** What an empty version means: the alias "default". */
  readonly preset: RoutedAlias | undefined;
  /** What it means without that alias: the newest version that is ready, or else the newest. */
  readonly newest: Route | undefined;
}

/** A model as it is now; `before` is the same one as it was, if it was there. */
export function routedModel(facts: ModelRoute, before: RoutedModel | undefined): RoutedModel {
  const { model } = facts;
  const versions = new Map<number, Route>();
  for (const [version, { replicas, reason }] of facts.versions) {
    const memory = before?.versions.get(version)?.memory ?? {};
    versions.set(version, { model, version, replicas, reason, memory });
  }
  const aliases = new Map<string, RoutedAlias>();
  for (const [alias, route] of facts.aliases) aliases.set(alias, routedAlias(route, versions));
  const [preset, newest] = [aliases.get(defaultAlias), newestOf([...versions.values()])];
  // What most calls need comes first.
  return { model, preset, traffic: facts.traffic, newest, versions, aliases };
}

function routedAlias({ targets: led, mirrors }: AliasRoute, versions: ReadonlyMap<number, Route>): RoutedAlias {
  const targets = led.map(({ version, weight }) => {
    const route = versions.get(version);
    return { version, weight, route: route && mirrors.length > 0 ? { ...route, mirrors } : route };
  });
  const choices = readyTargets(targets, ({ route }) => isReady(route));
  return { draws: drawsOf(choices, ({ route }) => route), targets, mirrors, choices };
}

function newestOf(routes: readonly Route[]): Route | undefined {
  const ready = routes.filter(isReady);
  return (ready.length > 0 ? ready : routes).reduce<Route | undefined>(
    (newest, route) => (newest === undefined || route.version > newest.version ? route : newest),
    undefined,
  );
}

function isReady(route: Route | undefined): boolean {
  return route !== undefined && route.replicas.length > 0;
}
