import type { Clock } from "../../lib/clock.ts";
import type { ControlServiceDefinition } from "../../lib/gen/amaas/registry/v1/ControlService.ts";
import type { ModelRoute__Output as ModelRouteMessage } from "../../lib/gen/amaas/registry/v1/ModelRoute.ts";
import type { WatchRoutesResponse__Output as WatchRoutesResponse } from "../../lib/gen/amaas/registry/v1/WatchRoutesResponse.ts";
import type { Log } from "../../lib/log.ts";
import type { RpcClient } from "../../lib/rpc/client.ts";
import { remoteFaultOf } from "../../lib/rpc/status.ts";
import type { ModelRoute, RouteStep } from "./route-table.ts";

/** What a link needs. */
export interface RouteLinkParts {
  readonly client: RpcClient<ControlServiceDefinition>;
  /** Who is asking, for the registry's log. */
  readonly gateway: string;
  /** Takes every step, in order. */
  readonly apply: (step: RouteStep) => void;
  readonly clock: Clock;
  /** A number in [0, 1). */
  readonly random: () => number;
  readonly log: Log;
}

/** Holds the stream of route table steps from the registry, and opens it again whenever it breaks. */
export class RouteLink {
  readonly #parts: RouteLinkParts;
  readonly #stopped = new AbortController();
  #running: Promise<void> = Promise.resolve();
  #wake = () => {};

  constructor(parts: RouteLinkParts) {
    this.#parts = parts;
  }

  start(): void {
    this.#running = this.#run();
  }

  async stop(): Promise<void> {
    this.#stopped.abort();
    this.#wake();
    await this.#running;
  }

  async #run(): Promise<void> {
    const { log } = this.#parts;
    const { signal } = this.#stopped;
    for (let failures = 0; !signal.aborted; failures++) {
      try {
        await this.#follow(() => {
          failures = 0;
        });
      } catch (failure) {
        if (signal.aborted) return;
        // Once per outage: the attempts that follow say nothing new.
        const fields = { detail: remoteFaultOf(failure).message };
        if (failures === 0) log.warn(fields, "registry lost; routing goes on with the last table");
        else log.debug(fields, "registry still lost");
      }
      await this.#pause(failures);
    }
  }

  /** Applies steps until the stream breaks. A gap in their numbers breaks it too: the next stream begins with a snapshot. */
  async #follow(onSnapshot: () => void): Promise<void> {
    const { client, gateway, apply, log } = this.#parts;
    let expected: number | undefined;
    for await (const response of client.serverStream("WatchRoutes", { gateway }, { signal: this.#stopped.signal })) {
      if (expected === undefined ? response.step !== "snapshot" : response.sequence !== expected) {
        throw new Error(`step ${response.sequence} (${response.step}) came, needed: ${expected ?? "the snapshot"}`);
      }
      const step = stepOf(response);
      if (expected === undefined) {
        onSnapshot();
        log.info({ models: step.kind === "snapshot" ? step.models.length : 0 }, "registry connected");
      }
      expected = response.sequence + 1;
      apply(step);
    }
  }

  /** Waits 100 ms after the first failure, doubled to a second, each time between half and all of it. */
  async #pause(failures: number): Promise<void> {
    const { clock, random } = this.#parts;
    const delayMs = Math.min(100 * 2 ** Math.min(failures, 10), 1000) * (0.5 + random() / 2);
    await new Promise<void>((resolve) => {
      const cancel = clock.after(delayMs, resolve);
      this.#wake = () => {
        cancel();
        resolve();
      };
    });
  }
}

function stepOf(response: WatchRoutesResponse): RouteStep {
  const { snapshot, changed, removed } = response;
  if (snapshot) return { kind: "snapshot", models: snapshot.models.map(routeOf) };
  if (changed) return { kind: "changed", model: routeOf(changed) };
  if (removed) return { kind: "removed", model: removed };
  throw new Error(`step ${response.sequence} is empty`);
}

function routeOf({ model, versions, aliases }: ModelRouteMessage): ModelRoute {
  return {
    model,
    versions: new Map(versions.map(({ version, addresses }) => [version, addresses])),
    aliases: new Map(Object.entries(aliases)),
  };
}
