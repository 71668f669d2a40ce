import { setTimeout as pause } from "node:timers/promises";
import type { ControlServiceDefinition } from "../../../lib/gen/amaas/registry/v1/ControlService.ts";
import type { ModelRoute__Output } from "../../../lib/gen/amaas/registry/v1/ModelRoute.ts";
import type { RegistryServiceDefinition } from "../../../lib/gen/amaas/registry/v1/RegistryService.ts";
import { aliasName } from "../../../lib/resource-names.ts";
import { RpcClient } from "../../../lib/rpc/client.ts";

/** Gateways of one registry in this process, and who moves aliases: one clock for both. */
interface Fleet {
  readonly registry: RpcClient<RegistryServiceDefinition>;
  readonly gateways: readonly Gateway[];
}

const fleets = new Map<string, Fleet>();

/** Connects gateways to an address; settles once each has its snapshot. */
export async function connectGateways(address: string, count: number): Promise<void> {
  const registry = new RpcClient<RegistryServiceDefinition>("amaas.registry.v1.RegistryService", address);
  const gateways = Array.from({ length: count }, (_, index) => new Gateway(address, index));
  fleets.set(address, { registry, gateways });
  await Promise.all(gateways.map((gateway) => gateway.start()));
}

/** Settles once every gateway sees versions of models ready somewhere. */
export async function untilReady(address: string, models: readonly string[], versions: number): Promise<void> {
  const deadline = performance.now() + readyTimeoutMs;
  const isReady = ({ routes }: Gateway) =>
    models.every((model) => {
      const held = routes.get(model)?.versions ?? [];
      return held.filter(({ addresses }) => addresses.length > 0).length >= versions;
    });
  while (!fleets.get(address)!.gateways.every(isReady)) {
    if (performance.now() > deadline) throw new Error(`the routes were not complete after ${readyTimeoutMs} ms`);
    await pause(50);
  }
}

/** Moves of one alias after the other between two versions. */
export interface Moves {
  readonly models: readonly string[];
  readonly alias: string;
  readonly versions: readonly [number, number];
  readonly count: number;
  readonly intervalMs: number;
}

/** Answers for every move and gateway the milliseconds from before the call to when the gateway knew. */
export async function move(address: string, { models, alias, versions, count, intervalMs }: Moves): Promise<number[]> {
  const { registry, gateways } = fleets.get(address)!;
  const timesMs: number[] = [];
  for (let step = 0; step < count; step++) {
    const model = models[step % models.length]!;
    const now = gateways[0]!.targetOf(model, alias);
    const version = now === versions[0] ? versions[1] : versions[0];
    const begin = performance.now();
    const seen = gateways.map((gateway) => gateway.sees(model, alias, version).then((atMs) => atMs - begin));
    const name = aliasName(model, alias);
    await registry.unary("UpdateAlias", { alias: { name, targets: [{ version }] }, allowMissing: true });
    timesMs.push(...(await Promise.all(seen)));
    await pause(intervalMs);
  }
  return timesMs;
}

class Gateway {
  readonly routes = new Map<string, ModelRoute__Output>();
  readonly #client: RpcClient<ControlServiceDefinition>;
  readonly #name: string;
  #waiting: { readonly isThere: () => boolean; readonly resolve: (atMs: number) => void } | undefined;

  constructor(address: string, index: number) {
    this.#client = new RpcClient("amaas.registry.v1.ControlService", address);
    this.#name = `bench-${index}`;
  }

  /** Settles once it has its snapshot. */
  start(): Promise<void> {
    return new Promise((ready, fail) => {
      this.#follow(ready).catch(fail);
    });
  }

  targetOf(model: string, alias: string): number | undefined {
    return this.routes.get(model)?.aliases[alias]?.targets[0]?.version;
  }

  /** When it knew that an alias points at a version. */
  sees(model: string, alias: string, version: number): Promise<number> {
    return new Promise((resolve, reject) => {
      const timer = setTimeout(() => reject(new Error(`${this.#name} did not see ${model}@${alias}`)), moveTimeoutMs);
      this.#waiting = {
        isThere: () => this.targetOf(model, alias) === version,
        resolve: (atMs) => {
          clearTimeout(timer);
          resolve(atMs);
        },
      };
    });
  }

  async #follow(ready: () => void): Promise<void> {
    for await (const { snapshot, changed, removed } of this.#client.serverStream("WatchRoutes", {
      gateway: this.#name,
    })) {
      if (snapshot) this.routes.clear();
      for (const route of snapshot?.models ?? []) this.routes.set(route.model, route);
      if (changed) this.routes.set(changed.model, changed);
      if (removed) this.routes.delete(removed);
      ready();
      if (this.#waiting?.isThere()) {
        this.#waiting.resolve(performance.now());
        this.#waiting = undefined;
      }
    }
    throw new Error("the registry ended the stream of a gateway");
  }
}

const readyTimeoutMs = 60_000;
const moveTimeoutMs = 10_000;
