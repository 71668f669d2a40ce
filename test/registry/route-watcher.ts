import type { ControlServiceDefinition } from "../../lib/gen/amaas/registry/v1/ControlService.ts";
import type { ModelRoute__Output } from "../../lib/gen/amaas/registry/v1/ModelRoute.ts";
import type { WatchRoutesResponse__Output } from "../../lib/gen/amaas/registry/v1/WatchRoutesResponse.ts";
import type { RpcClient } from "../../lib/rpc/client.ts";
import { Inbox } from "./inbox.ts";

/** Addresses by the short name of the version, such as "digits/1", and versions by alias, such as "digits@default". */
export type Routes = Readonly<Record<string, readonly string[] | number>>;

/** A gateway as the registry sees it: follows the routes. */
export class RouteWatcher {
  readonly steps: Inbox<WatchRoutesResponse__Output>;
  readonly #left = new AbortController();

  constructor(control: RpcClient<ControlServiceDefinition>) {
    const options = { signal: this.#left.signal };
    this.steps = new Inbox(control.serverStream("WatchRoutes", { gateway: "test" }, options));
  }

  /** What the steps so far add up to; undefined before the snapshot. */
  get routes(): Routes | undefined {
    const models = new Map<string, ModelRoute__Output>();
    for (const { snapshot, changed, removed } of this.steps.messages) {
      for (const route of snapshot?.models ?? []) models.set(route.model, route);
      if (changed) models.set(changed.model, changed);
      if (removed) models.delete(removed);
    }
    if (this.steps.messages.length === 0) return undefined;
    return Object.assign({}, ...[...models.values()].map(flat));
  }

  /** Settles once the routes are exactly these. */
  async are(wanted: Routes): Promise<void> {
    await this.steps.until(`routes ${JSON.stringify(wanted)}`, () => textOf(this.routes) === textOf(wanted));
  }

  /** Breaks the stream off. */
  leave(): void {
    this.#left.abort();
  }
}

function flat({ model, versions, aliases }: ModelRoute__Output): Routes {
  const addresses = versions.map(({ version, addresses: held }) => [`${model}/${version}`, held]);
  const targets = Object.entries(aliases).map(([alias, version]) => [`${model}@${alias}`, version]);
  return Object.fromEntries([...addresses, ...targets]);
}

function textOf(routes: Routes | undefined): string {
  return JSON.stringify(routes && Object.entries(routes).sort());
}
