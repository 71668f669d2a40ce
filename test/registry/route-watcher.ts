import type { AliasRoute__Output } from "../../lib/gen/amaas/registry/v1/AliasRoute.ts";
import type { ControlServiceDefinition } from "../../lib/gen/amaas/registry/v1/ControlService.ts";
import type { ModelRoute__Output } from "../../lib/gen/amaas/registry/v1/ModelRoute.ts";
import type { NodeRoute__Output } from "../../lib/gen/amaas/registry/v1/NodeRoute.ts";
import type { WatchRoutesResponse__Output } from "../../lib/gen/amaas/registry/v1/WatchRoutesResponse.ts";
import type { RpcClient } from "../../lib/rpc/client.ts";
import { Inbox } from "./inbox.ts";

/**
 * Addresses by the short name of the version, such as "digits/1", and versions by alias, such as "digits@default": one by its
 * number, several with their weights, mirrors with their shares, as in "1×99 2×1 ~3×0.5".
 */
export type Routes = Readonly<Record<string, readonly string[] | number | string>>;

/** What a gateway has applied last. */
interface Position {
  readonly epoch: string;
  readonly sequence: number;
}

/** A gateway as the registry sees it: follows the routes, from where it was or from a snapshot. */
export class RouteWatcher {
  readonly steps: Inbox<WatchRoutesResponse__Output>;
  readonly #left = new AbortController();
  readonly #models: ReadonlyMap<string, ModelRoute__Output>;
  readonly #nodes: ReadonlyMap<string, NodeRoute__Output>;

  constructor(control: RpcClient<ControlServiceDefinition>, before?: RouteWatcher) {
    const { epoch, sequence } = before?.position ?? { epoch: "", sequence: 0 };
    const request = { gateway: "test", epoch, afterSequence: sequence };
    this.#models = before?.models ?? new Map();
    this.#nodes = before?.nodes ?? new Map();
    this.steps = new Inbox(control.serverStream("WatchRoutes", request, { signal: this.#left.signal }));
  }

  /** Undefined before the first step. */
  get position(): Position | undefined {
    return this.steps.messages.at(-1);
  }

  /** What the steps so far add up to, by model. */
  get models(): ReadonlyMap<string, ModelRoute__Output> {
    const models = new Map(this.#models);
    for (const { snapshot, changed, removed } of this.steps.messages) {
      if (snapshot) models.clear();
      for (const route of snapshot?.models ?? []) models.set(route.model, route);
      if (changed) models.set(changed.model, changed);
      if (removed) models.delete(removed);
    }
    return models;
  }

  /** The nodes of all steps so far, by address. */
  get nodes(): ReadonlyMap<string, NodeRoute__Output> {
    const nodes = new Map(this.#nodes);
    for (const { snapshot, node } of this.steps.messages) {
      if (snapshot) nodes.clear();
      for (const one of [...(snapshot?.nodes ?? []), ...(node ? [node] : [])]) nodes.set(one.address, one);
    }
    return nodes;
  }

  /** The models in short; undefined before the first step. */
  get routes(): Routes | undefined {
    if (this.steps.messages.length === 0) return undefined;
    return Object.assign({}, ...[...this.models.values()].map(flat));
  }

  /** Why a version, such as "digits/1", is ready nowhere. */
  reason(short: string): string | undefined {
    const [model, version] = short.split("/");
    return this.models.get(model!)?.versions.find((route) => route.version === Number(version))?.reason;
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
  const aims = Object.entries(aliases).map(([alias, aim]) => [`${model}@${alias}`, aimText(aim)]);
  return Object.fromEntries([...addresses, ...aims]);
}

function aimText({ targets, mirrors }: AliasRoute__Output): number | string {
  if (targets.length === 1 && mirrors.length === 0) return targets[0]!.version;
  const parts = targets.map(({ version, weight }) => `${version}×${weight}`);
  return [...parts, ...mirrors.map(({ version, share }) => `~${version}×${share}`)].join(" ");
}

function textOf(routes: Routes | undefined): string {
  return JSON.stringify(routes && Object.entries(routes).sort());
}
