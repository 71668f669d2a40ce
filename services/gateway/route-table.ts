/** Where one model's versions are held. */
export interface ModelRoute {
  readonly model: string;
  /** Every version of the catalogue, by number. */
  readonly versions: ReadonlyMap<number, VersionRoute>;
  /** Where aliases lead, by alias id. */
  readonly aliases: ReadonlyMap<string, AliasRoute>;
}

/** Where one version is held. */
export interface VersionRoute {
  /** The addresses of the nodes where it is ready, "host:port". */
  readonly replicas: readonly string[];
  /** Why it is ready nowhere; may be empty. */
  readonly reason: string;
}

/** Where an alias leads. */
export interface AliasRoute {
  readonly targets: readonly AliasTarget[];
  readonly mirrors: readonly AliasMirror[];
}

/** A version that gets a share of an alias's requests: its weight, at least 1, divided by the sum of all weights. */
export interface AliasTarget {
  readonly version: number;
  readonly weight: number;
}

/** A version that is to get copies of a share of an alias's requests, above 0 and up to 1. */
export interface AliasMirror {
  readonly version: number;
  readonly share: number;
}

/** Where everything is held: one immutable value, replaced as a whole. Keys are model ids. */
export type RouteTable = ReadonlyMap<string, ModelRoute>;

/** Which step of which line of steps a table is: numbers of one epoch grow, those of two have nothing to do with each other. */
export interface RoutePosition {
  readonly epoch: string;
  readonly sequence: number;
}

/** A table, and the step that it is. */
export interface PlacedTable {
  readonly table: RouteTable;
  readonly position: RoutePosition;
}

/** One step from a table to the next. */
export type RouteStep =
  | { readonly kind: "snapshot"; readonly models: readonly ModelRoute[] }
  /** The table still holds. */
  | { readonly kind: "resumed" }
  | { readonly kind: "changed"; readonly model: ModelRoute }
  | { readonly kind: "removed"; readonly model: string };

/** The table after a step; without a table only a snapshot makes one. */
export function applied(table: RouteTable | undefined, step: RouteStep): RouteTable | undefined {
  if (step.kind === "snapshot") return new Map(step.models.map((route) => [route.model, route]));
  if (table === undefined || step.kind === "resumed") return table;
  const next = new Map(table);
  if (step.kind === "changed") next.set(step.model.model, step.model);
  else next.delete(step.model);
  return next;
}

/** The addresses of all nodes that a table names. */
export function addressesOf(table: RouteTable): Set<string> {
  const addresses = new Set<string>();
  for (const { versions } of table.values()) {
    for (const { replicas } of versions.values()) for (const address of replicas) addresses.add(address);
  }
  return addresses;
}
