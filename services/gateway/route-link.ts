import type { Clock } from "../../lib/clock.ts";
import type { ControlServiceDefinition } from "../../lib/gen/amaas/registry/v1/ControlService.ts";
import type { Log } from "../../lib/log.ts";
import type { RpcClient } from "../../lib/rpc/client.ts";
import { remoteFaultOf } from "../../lib/rpc/status.ts";
import { stepOf } from "./route-message.ts";
import type { RoutePosition, RouteStep } from "./route-table.ts";
import type { Routes } from "./routes.ts";

/** What a link needs. */
export interface RouteLinkParts {
  readonly client: RpcClient<ControlServiceDefinition>;
  /** Who is asking, for the registry's log. */
  readonly gateway: string;
  /** Takes every step, in order. */
  readonly routes: Pick<Routes, "apply" | "position">;
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
  /** Whether the registry has said what cannot be, so that the next stream has to begin with a snapshot. */
  #isConfused = false;
  #isConnected = false;
  #wake = () => {};

  constructor(parts: RouteLinkParts) {
    this.#parts = parts;
  }

  /** Whether the stream is open and has begun. */
  get isConnected(): boolean {
    return this.#isConnected;
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
      this.#isConnected = false;
      await this.#pause(failures);
    }
  }

  /**
   * Applies steps until the stream breaks. It begins where the last one ended, if the registry can. Numbers that do not grow
   * break it too, as do steps of another epoch.
   */
  async #follow(onFirst: () => void): Promise<void> {
    const { client, gateway, routes, log } = this.#parts;
    let last = this.#isConfused ? undefined : routes.position;
    const request = { gateway, epoch: last?.epoch ?? "", afterSequence: last?.sequence ?? 0 };
    let isFirst = true;
    for await (const response of client.serverStream("WatchRoutes", request, { signal: this.#stopped.signal })) {
      const position = { epoch: response.epoch, sequence: response.sequence };
      const step = stepOf(response);
      if (step === undefined || !(isFirst ? isBeginning(step, position, last) : isNext(step, position, last))) {
        this.#isConfused = true;
        const after = last === undefined ? "nothing" : `${last.sequence} of epoch '${last.epoch}'`;
        throw new Error(
          `step ${response.sequence} of epoch '${response.epoch}', ${response.step}, came after ${after}`,
        );
      }
      routes.apply(step, position);
      if (isFirst) {
        this.#isConfused = false;
        this.#isConnected = true;
        onFirst();
        log.info({ ...position, step: step.kind }, "registry connected");
      }
      isFirst = false;
      last = position;
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

function isBeginning(step: RouteStep, { epoch, sequence }: RoutePosition, asked: RoutePosition | undefined): boolean {
  if (step.kind === "snapshot") return true;
  return step.kind === "resumed" && epoch === asked?.epoch && sequence >= asked.sequence;
}

function isNext(step: RouteStep, { epoch, sequence }: RoutePosition, last: RoutePosition | undefined): boolean {
  return step.kind !== "resumed" && epoch === last?.epoch && sequence > last.sequence;
}
