import type { ControlServiceHandlers } from "../../lib/gen/amaas/registry/v1/ControlService.ts";
import type { ModelRoute } from "../../lib/gen/amaas/registry/v1/ModelRoute.ts";
import type { RegistryServiceHandlers } from "../../lib/gen/amaas/registry/v1/RegistryService.ts";
import type { WatchRoutesResponse } from "../../lib/gen/amaas/registry/v1/WatchRoutesResponse.ts";
import { createLog } from "../../lib/log.ts";
import type { Handlers } from "../../lib/rpc/handlers.ts";
import { RpcServer } from "../../lib/rpc/server.ts";

/** A registry that pushes route tables, and answers of its catalogue what a test gives it. */
export class FakeRegistry {
  address = "";
  watchers = 0;
  readonly #server: RpcServer;
  readonly #feeds = new Set<Feed>();
  #models: ModelRoute[];

  constructor(models: ModelRoute[], handlers: Handlers<RegistryServiceHandlers> = {}, port = 0) {
    this.#models = models;
    const config = { host: "127.0.0.1", port, messageBytesMax: 64 * 1024 ** 2, drainTimeoutMs: 0 };
    this.#server = new RpcServer(config, createLog("registry", "silent"));
    this.#server.implement<RegistryServiceHandlers>("amaas.registry.v1.RegistryService", handlers);
    this.#server.implement<ControlServiceHandlers>("amaas.registry.v1.ControlService", {
      WatchRoutes: (_, call) => this.#watch(call.draining),
    });
  }

  async start(): Promise<this> {
    this.address = `127.0.0.1:${await this.#server.start()}`;
    return this;
  }

  async stop(): Promise<void> {
    await this.#server.stop();
  }

  /** Sends one model's new route to every watcher. */
  change(route: ModelRoute): void {
    this.#models = [...this.#models.filter(({ model }) => model !== route.model), route];
    for (const feed of this.#feeds) feed.push({ changed: route });
  }

  remove(model: string): void {
    this.#models = this.#models.filter((route) => route.model !== model);
    for (const feed of this.#feeds) feed.push({ removed: model });
  }

  async *#watch(draining: AbortSignal): AsyncGenerator<WatchRoutesResponse> {
    const feed = new Feed();
    const end = () => feed.end(draining.reason);
    draining.addEventListener("abort", end, { once: true });
    this.#feeds.add(feed);
    this.watchers++;
    try {
      yield { sequence: 1, snapshot: { models: this.#models } };
      for (let sequence = 2; ; sequence++) yield { sequence, ...(await feed.next()) };
    } finally {
      this.#feeds.delete(feed);
    }
  }
}

/** Steps on their way to one watcher. */
class Feed {
  readonly #steps: WatchRoutesResponse[] = [];
  #failure: unknown;
  #wake = () => {};

  push(step: WatchRoutesResponse): void {
    this.#steps.push(step);
    this.#wake();
  }

  end(failure: unknown): void {
    this.#failure = failure;
    this.#wake();
  }

  async next(): Promise<WatchRoutesResponse> {
    for (;;) {
      if (this.#failure !== undefined) throw this.#failure;
      const step = this.#steps.shift();
      if (step !== undefined) return step;
      await new Promise<void>((resolve) => {
        this.#wake = resolve;
      });
    }
  }
}
