import type { ModelRoute as ModelRouteMessage } from "../../../lib/gen/amaas/registry/v1/ModelRoute.ts";
import type { WatchRoutesResponse } from "../../../lib/gen/amaas/registry/v1/WatchRoutesResponse.ts";
import type { Encoded } from "../../../lib/rpc/encoded.ts";
import { encoded } from "../../../lib/rpc/protos.ts";
import type { Beginning, RouteStep } from "../control/route-feed.ts";
import type { ModelRoute } from "../control/routes.ts";

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
        message: this.#encoded({ sequence, snapshot: { models: beginning.routes.map(routeMessage) } }),
      };
    }
    return this.#snapshot.message;
  }

  /** Every further message. */
  ofStep(step: RouteStep): Message {
    let message = this.#steps.get(step);
    if (message === undefined) {
      const { sequence, change } = step;
      message = this.#encoded(
        change.kind === "changed"
          ? { sequence, changed: routeMessage(change.route) }
          : { sequence, removed: change.model },
      );
      this.#steps.set(step, message);
      this.#snapshot = undefined;
    }
    return message;
  }

  #encoded(message: WatchRoutesResponse): Message {
    return encoded("control", "amaas.registry.v1.WatchRoutesResponse", { epoch: this.#epoch, ...message });
  }
}

function routeMessage({ model, versions, aliases }: ModelRoute): ModelRouteMessage {
  return {
    model,
    versions: versions.map(({ version, addresses, reason }) => ({ version, addresses: [...addresses], reason })),
    aliases: Object.fromEntries(
      [...aliases].map(([alias, { targets, mirrors }]) => [alias, { targets: [...targets], mirrors: [...mirrors] }]),
    ),
  };
}
