import { ShardedMap } from "./sharded-map.ts";

/** Where one model's versions are held. */
export interface ModelRoute {
  readonly model: string;
  /** Every version of the catalogue, by number. */
  readonly versions: ReadonlyMap<number, VersionRoute>;
  /** Where aliases lead, by alias id. */
  readonly aliases: ReadonlyMap<string, AliasRoute>;
  /** How calls to it are routed; undefined where nobody has set anything. */
  readonly traffic: Traffic | undefined;
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

/** How calls to a model are routed. */
export interface Traffic {
  /** The deadline of calls that have none; 0 for the gateway's own. */
  readonly defaultTimeoutMs: number;
  /** The metadata key whose value decides which of an alias's targets a call goes to; empty for by chance. */
  readonly stickyKey: string;
  /** Whether callers may ask by the metadata amaas-version for another version than their request names. */
  readonly versionOverride: boolean;
  /** When a call is sent once more, to another replica; undefined for never. */
  readonly hedging: Hedging | undefined;
  /** What each principal may ask for; undefined for no limits. */
  readonly perPrincipal: RateLimits | undefined;
  /** What all may ask for together; undefined for no limits. */
  readonly total: RateLimits | undefined;
}

/** When a call is sent once more. */
export interface Hedging {
  /** After the latency that this share of the model's calls stay below, from 0.5 to 0.999. */
  readonly quantile: number;
  /** And not before. */
  readonly delayMsMin: number;
}

/** What may be asked of a model; each 0 for no limit. */
export interface RateLimits {
  readonly requestsPerSecond: number;
  readonly concurrentRequests: number;
  readonly rowsPerSecond: number;
  readonly bytesPerSecond: number;
}

/** What is known of a node. */
export interface NodeFacts {
  /** Where it stands; empty where nobody says. */
  readonly zone: string;
  /** Its cores, at least 1. */
  readonly capacity: number;
}

/** Where everything is held: one immutable value, replaced as a whole. */
export interface RouteTable {
  /** By model id. */
  readonly models: ReadonlyMap<string, ModelRoute>;
  /** By address. Every node that a route names, unless the registry is of an older release; and some that none names. */
  readonly nodes: ReadonlyMap<string, NodeFacts>;
}

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
  | {
      readonly kind: "snapshot";
      readonly models: readonly ModelRoute[];
      readonly nodes: readonly (readonly [address: string, facts: NodeFacts])[];
    }
  /** The table still holds. */
  | { readonly kind: "resumed" }
  | { readonly kind: "changed"; readonly model: ModelRoute }
  | { readonly kind: "removed"; readonly model: string }
  /** A node that is new, or that has changed. */
  | { readonly kind: "node"; readonly address: string; readonly facts: NodeFacts };

/** The table after a step; without a table only a snapshot makes one. */
export function applied(table: RouteTable | undefined, step: RouteStep): RouteTable | undefined {
  if (step.kind === "snapshot") return tableOf(step.models, step.nodes);
  if (table === undefined || step.kind === "resumed") return table;
  if (step.kind === "node") return { ...table, nodes: withNode(table, step.address, step.facts) };
  const models = ShardedMap.of(table.models);
  const next = step.kind === "changed" ? models.with(step.model.model, step.model) : models.without(step.model);
  return { ...table, models: next };
}

/** A table of models and nodes. */
export function tableOf(
  models: Iterable<ModelRoute>,
  nodes: Iterable<readonly [address: string, facts: NodeFacts]> = [],
): RouteTable {
  const byId = [...models].map((route) => [route.model, route] as const);
  return { models: ShardedMap.of(byId), nodes: new Map(nodes) };
}

/**
 * The nodes with one more, told last. Nobody says that one is gone: once there are too many, those that no route names go, but for the
 * newest, which routes may name soon.
 */
function withNode(table: RouteTable, address: string, facts: NodeFacts): RouteTable["nodes"] {
  const nodes = new Map(table.nodes);
  nodes.delete(address);
  nodes.set(address, facts);
  if (nodes.size <= nodesMax) return nodes;
  const named = addressesOf(table);
  const unnamed = [...nodes.keys()].filter((one) => !named.has(one));
  for (const one of unnamed.slice(0, -unnamedNodesKept)) nodes.delete(one);
  return nodes;
}

const nodesMax = 10_000;
const unnamedNodesKept = 1000;

/** The addresses of all nodes that a table names. */
export function addressesOf(table: RouteTable): Set<string> {
  const addresses = new Set<string>();
  for (const _ of addressSteps(table, addresses));
  return addresses;
}

/** Adds these addresses to a set step by step: of 10,000 models calls should not wait for all. */
export function* addressSteps({ models }: RouteTable, addresses: Set<string>): Generator<void> {
  let count = 0;
  for (const { versions } of models.values()) {
    for (const { replicas } of versions.values()) for (const address of replicas) addresses.add(address);
    if (++count % modelsPerStep === 0) yield;
  }
}

const modelsPerStep = 500;
