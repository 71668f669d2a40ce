/** Where one model's versions are ready. */
export interface ModelRoute {
  readonly model: string;
  /** Every version of the catalogue; `addresses` is empty where none is ready. Both ascending. */
  readonly versions: readonly VersionRoute[];
  /** Versions by alias id, ascending by id. */
  readonly aliases: ReadonlyMap<string, number>;
}

export interface VersionRoute {
  readonly version: number;
  readonly addresses: readonly string[];
}

/** One step from a route table to the next. */
export type RouteChange =
  | { readonly kind: "changed"; readonly route: ModelRoute }
  | { readonly kind: "removed"; readonly model: string };

/**
 * Where the aliases of a model lead. One that was moved to a version that is ready nowhere keeps its old target for as
 * long as that one is ready somewhere: a move never costs a request.
 */
export function aliasTargets(
  wanted: ReadonlyMap<string, number>,
  isReady: (version: number) => boolean,
  previous: ModelRoute | undefined,
): ReadonlyMap<string, number> {
  const target = (alias: string, version: number) => {
    const before = previous?.aliases.get(alias);
    return before !== undefined && !isReady(version) && isReady(before) ? before : version;
  };
  const targets = [...wanted].map(([alias, version]) => [alias, target(alias, version)] as const);
  return new Map(targets.sort(([a], [b]) => (a < b ? -1 : 1)));
}

/** What leads from one table to another, each keyed by model. */
export function changeOf(before: ModelRoute | undefined, after: ModelRoute | undefined): RouteChange | undefined {
  if (after !== undefined) return sameRoute(before, after) ? undefined : { kind: "changed", route: after };
  return before && { kind: "removed", model: before.model };
}

function sameRoute(a: ModelRoute | undefined, b: ModelRoute): boolean {
  if (a === undefined || a.versions.length !== b.versions.length || a.aliases.size !== b.aliases.size) return false;
  return (
    a.versions.every((route, index) => sameVersion(route, b.versions[index])) &&
    [...a.aliases].every(([alias, version]) => b.aliases.get(alias) === version)
  );
}

function sameVersion(a: VersionRoute, b: VersionRoute): boolean {
  return (
    a.version === b.version &&
    a.addresses.length === b.addresses.length &&
    a.addresses.every((address, index) => address === b.addresses[index])
  );
}
