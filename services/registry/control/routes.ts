import type { AliasAim, AliasEntry, SettingsEntry } from "../store/entries.ts";
import type { NodeRoute } from "./node-routes.ts";

/** Where one model's versions are ready. */
export interface ModelRoute {
  readonly model: string;
  /** Every version that is not deleted, ascending. */
  readonly versions: readonly VersionRoute[];
  /** Where aliases lead, by id, ascending. */
  readonly aliases: ReadonlyMap<string, AliasAim>;
  /** How to route calls; undefined where nobody has set it. */
  readonly traffic: SettingsEntry["traffic"];
}

export interface VersionRoute {
  readonly version: number;
  /** Where it is ready, ascending. */
  readonly addresses: readonly string[];
  /** Why it is ready nowhere; empty where it is, or is not meant to be. */
  readonly reason: string;
}

/** One step from a route table to the next. */
export type RouteChange =
  | { readonly kind: "changed"; readonly route: ModelRoute }
  | { readonly kind: "removed"; readonly model: string }
  /** A node that is new, or that is another one now. */
  | { readonly kind: "node"; readonly node: NodeRoute };

/**
 * Where an alias leads. One that was moved leads where it led before until all of its new targets are ready somewhere: fewer of
 * them would get requests that are meant for the others. It does not wait where none of the old ones is ready either. So a move
 * never costs a request.
 */
export function aimOf({ present, reached }: AliasEntry, isReady: (version: number) => boolean): AliasAim {
  if (reached === undefined || present.targets.every(({ version }) => isReady(version))) return present;
  return isAnswered(reached, isReady) ? reached : present;
}

/** Whether one of the targets is ready somewhere. */
export function isAnswered({ targets }: AliasAim, isReady: (version: number) => boolean): boolean {
  return targets.some(({ version }) => isReady(version));
}

/** What leads from one route of a model to another. */
export function changeOf(before: ModelRoute | undefined, after: ModelRoute | undefined): RouteChange | undefined {
  if (after !== undefined) return isSameRoute(before, after) ? undefined : { kind: "changed", route: after };
  return before && { kind: "removed", model: before.model };
}

function isSameRoute(a: ModelRoute | undefined, b: ModelRoute): boolean {
  if (a === undefined || a.versions.length !== b.versions.length || a.aliases.size !== b.aliases.size) return false;
  return (
    a.versions.every((route, index) => isSameVersion(route, b.versions[index])) &&
    [...a.aliases].every(([alias, aim]) => isSameAim(aim, b.aliases.get(alias))) &&
    JSON.stringify(a.traffic) === JSON.stringify(b.traffic)
  );
}

function isSameVersion(a: VersionRoute, b: VersionRoute): boolean {
  if (a === b) return true;
  return (
    a.version === b.version &&
    a.reason === b.reason &&
    a.addresses.length === b.addresses.length &&
    a.addresses.every((address, index) => address === b.addresses[index])
  );
}

/** Of one alias the revision says everything. */
function isSameAim(a: AliasAim, b: AliasAim | undefined): boolean {
  return b !== undefined && a.revision === b.revision;
}
