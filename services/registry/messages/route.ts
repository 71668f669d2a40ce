import type { ModelRoute as ModelRouteMessage } from "../../../lib/gen/amaas/registry/v1/ModelRoute.ts";
import type { WatchRoutesResponse } from "../../../lib/gen/amaas/registry/v1/WatchRoutesResponse.ts";
import type { Encoded } from "../../../lib/rpc/encoded.ts";
import { encoded } from "../../../lib/rpc/protos.ts";
import type { Beginning, RouteStep } from "../control/route-feed.ts";
import type { ModelRoute, RouteChange } from "../control/routes.ts";

type Message = Encoded<WatchRoutesResponse>;

/** Steps of the route table as the contract has them; each is encoded once, for however many gateways. */
export class RouteMessages {
  readonly #epoch: string;
  readonly #steps = new WeakMap<RouteStep, Message>();
  #snapshot: { readonly sequence: number; readonly message: Message } | undefined;

  constructor(epoch: string) {
    this.#epoch = epoch;
  }

  /** The first message of a stream. */
  ofBeginning(beginning: Beginning): Message {
    const { sequence } = beginning;
    if (beginning.kind === "resumed") return this.#encoded({ sequence, resumed: {} });
    // After a start all gateways ask at once.
    if (this.#snapshot?.sequence !== sequence) {
      this.#snapshot = {
        sequence,
        message: this.#encoded({
          sequence,
          snapshot: { models: beginning.routes.map(routeMessage), nodes: [...beginning.nodes] },
        }),
      };
    }
    return this.#snapshot.message;
  }

  /** Every further message. */
  ofStep(step: RouteStep): Message {
    let message = this.#steps.get(step);
    if (message === undefined) {
      message = this.#encoded({ sequence: step.sequence, ...stepMessage(step.change) });
      this.#steps.set(step, message);
      this.#snapshot = undefined;
    }
    return message;
  }

  #encoded(message: WatchRoutesResponse): Message {
    return encoded("control", "amaas.registry.v1.WatchRoutesResponse", { epoch: this.#epoch, ...message });
  }
}

function stepMessage(change: RouteChange): WatchRoutesResponse {
  if (change.kind === "node") return { node: change.node };
  return change.kind === "changed" ? { changed: routeMessage(change.route) } : { removed: change.model };
}

function routeMessage({ model, versions, aliases, traffic }: ModelRoute): ModelRouteMessage {
  return {
    model,
    versions: versions.map(({ version, addresses, reason }) => ({ version, addresses: [...addresses], reason })),
    aliases: Object.fromEntries(
      [...aliases].map(([alias, { targets, mirrors }]) => [alias, { targets: [...targets], mirrors: [...mirrors] }]),
    ),
    traffic,
  };
}
