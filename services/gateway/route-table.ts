import type { NodeFacts } from "./balance/node-facts.ts";
import { NameMap } from "./name-map.ts";
import type { ModelRoute } from "./route-facts.ts";
import { type RoutedModel, routedModel } from "./routed-model.ts";

/** Where everything is held: one immutable value, replaced as a whole. */
export interface RouteTable {
  /** By model id. */
  readonly models: NameMap<RoutedModel>;
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
  if (step.kind === "snapshot") return tableOf(step.models, step.nodes, table);
  if (table === undefined || step.kind === "resumed") return table;
  if (step.kind === "node") return { ...table, nodes: withNode(table, step.address, step.facts) };
  const { models } = table;
  if (step.kind === "removed") return { ...table, models: models.without(step.model) };
  const { model } = step.model;
  return { ...table, models: models.with(model, routedModel(step.model, models.get(model))) };
}

/** A table of models and nodes, after another one if there was one. */
export function tableOf(
  models: Iterable<ModelRoute>,
  nodes: Iterable<readonly [address: string, facts: NodeFacts]> = [],
  before?: RouteTable,
): RouteTable {
  const byId = [...models].map((one) => [one.model, routedModel(one, before?.models.get(one.model))] as const);
  return { models: NameMap.of(byId), nodes: new Map(nodes) };
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
