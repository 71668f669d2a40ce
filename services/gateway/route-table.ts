/** Where one model's versions are held. */
export interface ModelRoute {
  readonly model: string;
  /** The addresses of the nodes where each version is ready, "host:port"; every version of the catalogue is a key. */
  readonly versions: ReadonlyMap<number, readonly string[]>;
  /** Versions by alias. */
  readonly aliases: ReadonlyMap<string, number>;
}

/** Where everything is held: one immutable value, replaced as a whole. Keys are model ids. */
export type RouteTable = ReadonlyMap<string, ModelRoute>;

/** One step from a table to the next. */
export type RouteStep =
  | { readonly kind: "snapshot"; readonly models: readonly ModelRoute[] }
  | { readonly kind: "changed"; readonly model: ModelRoute }
  | { readonly kind: "removed"; readonly model: string };

/** The table after a step; without a table only a snapshot makes one. */
export function applied(table: RouteTable | undefined, step: RouteStep): RouteTable | undefined {
  if (step.kind === "snapshot") return new Map(step.models.map((route) => [route.model, route]));
  if (table === undefined) return undefined;
  const next = new Map(table);
  if (step.kind === "changed") next.set(step.model.model, step.model);
  else next.delete(step.model);
  return next;
}

/** The addresses of all nodes that a table names. */
export function addressesOf(table: RouteTable): Set<string> {
  const addresses = new Set<string>();
  for (const { versions } of table.values()) {
    for (const replicas of versions.values()) for (const address of replicas) addresses.add(address);
  }
  return addresses;
}
