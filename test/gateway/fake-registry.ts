import { randomUUID } from "node:crypto";
import type { ControlServiceHandlers } from "../../lib/gen/amaas/registry/v1/ControlService.ts";
import type { ModelRoute } from "../../lib/gen/amaas/registry/v1/ModelRoute.ts";
import type { NodeRoute } from "../../lib/gen/amaas/registry/v1/NodeRoute.ts";
import type { RegistryServiceHandlers } from "../../lib/gen/amaas/registry/v1/RegistryService.ts";
import type { WatchRoutesRequest__Output } from "../../lib/gen/amaas/registry/v1/WatchRoutesRequest.ts";
import type { WatchRoutesResponse } from "../../lib/gen/amaas/registry/v1/WatchRoutesResponse.ts";
import { createLog } from "../../lib/log.ts";
import type { Handlers } from "../../lib/rpc/handlers.ts";
import { RpcServer } from "../../lib/rpc/server.ts";

type Step = Pick<WatchRoutesResponse, "snapshot" | "resumed" | "changed" | "removed" | "node">;

/** A registry that pushes route tables, and answers of its catalogue what a test gives it. */
export class FakeRegistry {
  address = "";
  /** What gateways have asked for, in order. */
  readonly asked: WatchRoutesRequest__Output[] = [];
  /** The line of its steps, and the number of the last one. */
  epoch: string = randomUUID();
  sequence = 1;
  /** What every step adds to the number. */
  stride = 1;
  readonly #steps: WatchRoutesResponse[] = [];
  readonly #server: RpcServer;
  readonly #feeds = new Set<Feed>();
  #models: ModelRoute[];
  #nodes: NodeRoute[] = [];

  constructor(models: ModelRoute[], handlers: Handlers<RegistryServiceHandlers> = {}, port = 0) {
    this.#models = models;
    const config = { host: "127.0.0.1", port, messageBytesMax: 64 * 1024 ** 2, drainTimeoutMs: 0 };
    this.#server = new RpcServer(config, createLog("registry", "silent"));
    this.#server.implement<RegistryServiceHandlers>("amaas.registry.v1.RegistryService", handlers);
    this.#server.implement<ControlServiceHandlers>("amaas.registry.v1.ControlService", {
      WatchRoutes: (request, call) => this.#watch(request, call.draining),
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
    this.push({ changed: route });
  }

  remove(model: string): void {
    this.#models = this.#models.filter((route) => route.model !== model);
    this.push({ removed: model });
  }

  /** Says to every watcher what a node is now. */
  tell(node: NodeRoute): void {
    this.#nodes = [...this.#nodes.filter(({ address }) => address !== node.address), node];
    this.push({ node });
  }

  /** Sends a step, whatever it says of the table. */
  push(step: Step): void {
    this.sequence += this.stride;
    const response = { epoch: this.epoch, sequence: this.sequence, ...step };
    this.#steps.push(response);
    for (const feed of this.#feeds) feed.push(response);
  }

  /** Ends the streams of all watchers. */
  cut(): void {
    for (const feed of this.#feeds) feed.end(new Error("the stream was cut on purpose"));
  }

  /** Who has seen this epoch gets what came since, everybody else a snapshot. */
  async *#watch(request: WatchRoutesRequest__Output, draining: AbortSignal): AsyncGenerator<WatchRoutesResponse> {
    const feed = new Feed();
    const end = () => feed.end(draining.reason);
    draining.addEventListener("abort", end, { once: true });
    this.#feeds.add(feed);
    this.asked.push(request);
    const { epoch, afterSequence } = request;
    const missed = this.#steps.filter((step) => step.epoch === epoch && Number(step.sequence) > afterSequence);
    for (const step of missed) feed.push(step);
    try {
      if (epoch === this.epoch) yield { epoch, sequence: afterSequence, resumed: {} };
      else yield { epoch: this.epoch, sequence: this.sequence, snapshot: { models: this.#models, nodes: this.#nodes } };
      for (;;) yield await feed.next();
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
