import type { Clock } from "../../lib/clock.ts";
import type { CalledRef, CallHeaders } from "./called-ref.ts";
import type { SequencedRef } from "./model-ref.ts";
import type { RouteTable } from "./route-table.ts";
import { routeOfSequence, type SequenceRoute, sequenceKey } from "./sequence-routing.ts";
import { SequenceTable, type SequenceTableBounds } from "./sequence-table.ts";

/** A request on its way. */
export interface SequenceStep extends SequenceRoute {
  /** Says which node answered last, and whether it gave what was asked for. */
  ended(node: string, isAnswered: boolean): void;
}

/** Sends the requests of a sequence to the node that has its state. */
export class SequenceRouter {
  readonly #places: SequenceTable;

  constructor(bounds: SequenceTableBounds, clock: Clock) {
    this.#places = new SequenceTable(bounds, clock);
  }

  /**
   * Where a request goes. A node that cannot be reached is taken only where there is no other. One that goes on with a sequence has
   * one node to go to: on another one the sequence has no state.
   *
   * Throws what `routeOfSequence` throws.
   */
  begin(
    table: RouteTable | undefined,
    ref: SequencedRef & CalledRef,
    headers: CallHeaders,
    isReachable: (address: string) => boolean,
  ): SequenceStep {
    const { starts, ends } = ref.sequence;
    const key = sequenceKey(ref);
    const place = this.#places.get(key);
    const { route, nodes: ranked } = routeOfSequence(table, ref, headers, place);
    const reachable = ranked.filter(isReachable);
    const nodes = reachable.length > 0 ? reachable : ranked;
    const stayAt = (node: string) => this.#places.set(key, { version: route.version, node });
    // From now on, so that what follows a START that fails does not go on where the sequence was before.
    if (starts || nodes[0] === place?.node) stayAt(nodes[0]!);
    return {
      route,
      nodes: starts ? nodes : nodes.slice(0, 1),
      ended: (node, isAnswered) => {
        if (isAnswered && ends) this.#places.delete(key);
        else if (isAnswered || starts) stayAt(node);
      },
    };
  }
}
