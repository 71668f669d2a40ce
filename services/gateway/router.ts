import type { Balancer } from "./balance/balancer.ts";
import { type CalledRef, type CallHeaders, calledRef } from "./called-ref.ts";
import type { Connections } from "./forward/connections.ts";
import { isSequenced, type ModelRef, type RefLayout, readModelRef } from "./model-ref.ts";
import type { ModelRoute } from "./route-facts.ts";
import type { RouteTable } from "./route-table.ts";
import type { Route } from "./routed-model.ts";
import type { Routes } from "./routes.ts";
import { knownTable, readyReplicas, routeOf, stillLeads } from "./routing.ts";
import type { SequenceRouter } from "./sequence-router.ts";

/** What decides where calls go. */
export interface RouterParts {
  readonly routes: Routes;
  readonly nodes: Connections;
  readonly sequences: SequenceRouter;
  readonly balancer: Balancer;
  /** A number in [0, 1). */
  readonly random: () => number;
}

/** Where an inference may go. */
export interface Way {
  readonly route: Route;
  /** Not empty. */
  readonly replicas: readonly string[];
  /** Chooses one of them. */
  readonly choose: (addresses: readonly string[]) => string;
  /** There if it belongs to a sequence: hears which node answered last, and whether it gave what was asked for. */
  readonly ended?: (node: string, isAnswered: boolean) => void;
}

/** Finds where calls go, by the table of this moment. */
export class Router {
  readonly #parts: RouterParts;

  constructor(parts: RouterParts) {
    this.#parts = parts;
  }

  /** Throws SERVICE_UNAVAILABLE before the first one. */
  get table(): RouteTable {
    return knownTable(this.#parts.routes.table);
  }

  /** What a request names; throws what `readModelRef` throws. */
  refOf(request: Uint8Array, layout: RefLayout): ModelRef {
    return readModelRef(request, layout, this.#parts.routes.table?.models);
  }

  /** Undefined where there is no such model. */
  modelOf({ model }: Pick<Route, "model">): ModelRoute | undefined {
    return this.#parts.routes.table?.models.get(model);
  }

  /** The version that is meant, ready or not; throws what `calledRef` and `routeOf` throw. */
  route(ref: ModelRef, headers: CallHeaders): Route {
    return this.#route(calledRef(ref, headers), headers);
  }

  /** Where a call for it may go; throws what `route` throws, and MODEL_NOT_READY where that is nowhere. */
  way(ref: ModelRef, headers: CallHeaders): Way {
    const called = calledRef(ref, headers);
    if (isSequenced(called)) {
      const { routes, sequences } = this.#parts;
      const { route, nodes, ended } = sequences.begin(routes.table, called, headers, this.#isReachable);
      return { route, replicas: nodes, choose: ([first]) => first!, ended };
    }
    const route = this.#route(called, headers);
    return { route, replicas: readyReplicas(route), choose: (candidates) => this.choose(route, candidates) };
  }

  /** One of the route's replicas, or of those of them that are still to be asked. */
  choose(route: Route, candidates: readonly string[]): string {
    return this.#parts.balancer.pick(route, this.table.nodes, candidates);
  }

  /** Whether a request of a stream may go where an earlier one for the same has gone; throws what `calledRef` throws, and OVERRIDE_REFUSED. */
  stillLeads(ref: ModelRef, headers: CallHeaders, route: Route, node: string): boolean {
    return stillLeads(this.#parts.routes.table, calledRef(ref, headers), route.version, node);
  }

  readonly #isReachable = (address: string) => this.#parts.nodes.isReachable(address);

  #route(ref: CalledRef, headers: CallHeaders): Route {
    const { routes, random } = this.#parts;
    return routeOf(routes.table, ref, { headers, random: random() });
  }
}
