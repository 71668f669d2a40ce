import type { Clock } from "../../../lib/clock.ts";
import { ServiceError } from "../../../lib/errors.ts";
import type { Cancellation } from "../../../lib/rpc/cancellation.ts";
import { Occupancy, type QueueBounds } from "../batching/occupancy.ts";
import type { CallLimits } from "../batching/pending-request.ts";
import type { AspiredVersion } from "./aspired-version.ts";

/** How requests wait for loads. */
export interface DemandBounds {
  /** What waits for one version. */
  readonly queue: QueueBounds;
  /** What waits on the whole node. */
  readonly nodeQueue: Occupancy;
  /** How long one waits, in milliseconds, unless its deadline comes first. */
  readonly waitMsMax: number;
}

/** A request that waits, before anybody has read its tensors. */
export interface WaitingCall extends CallLimits {
  /** What they take. */
  readonly inputBytes: number;
}

/** What a request waits for. */
type Named = Pick<AspiredVersion, "model" | "version">;

/** The requests that wait for versions to be loaded, which is what makes them be loaded. */
export class Demand {
  readonly #bounds: DemandBounds;
  readonly #clock: Clock;
  readonly #onChange: () => void;
  /** What waits, by version. */
  readonly #waiting = new Map<string, Occupancy>();
  readonly #wakers = new Set<() => void>();

  /** `onChange` is called when a version has become wanted, or is no longer. */
  constructor(bounds: DemandBounds, clock: Clock, onChange: () => void) {
    this.#bounds = bounds;
    this.#clock = clock;
    this.#onChange = onChange;
  }

  /** Whether requests wait for a version. */
  isFor(version: Named): boolean {
    return this.#waiting.has(keyOf(version));
  }

  /** Lets those that wait look again. */
  wake(): void {
    for (const wake of [...this.#wakers]) wake();
  }

  /**
   * Wants a version until `outcome`, which is asked after every change, gives something. Rejects with what it throws, QUEUE_FULL
   * where too many wait, DEADLINE_EXCEEDED after the longest wait, and what the signal is aborted with.
   */
  async until<Outcome>(version: Named, call: WaitingCall, outcome: () => Outcome | undefined): Promise<Outcome> {
    const { queue, nodeQueue } = this.#bounds;
    const key = keyOf(version);
    const known = this.#waiting.get(key);
    const ofVersion = known ?? new Occupancy(queue, " until the version is loaded");
    // How many rows it has shows only once the version is there.
    const weighed = { rowCount: 1, inputBytes: call.inputBytes };
    const obstacle = ofVersion.obstacle(weighed) ?? nodeQueue.obstacle(weighed);
    if (obstacle !== undefined) {
      throw new ServiceError("QUEUE_FULL", `Exceeds maximum queue size: ${obstacle}`, { retryDelayMs });
    }
    for (const occupancy of [ofVersion, nodeQueue]) occupancy.enter(weighed);
    this.#waiting.set(key, ofVersion);
    try {
      if (known === undefined) this.#onChange();
      return await this.#wait(call, outcome);
    } finally {
      for (const occupancy of [ofVersion, nodeQueue]) occupancy.leave(weighed);
      if (ofVersion.requests === 0) {
        this.#waiting.delete(key);
        // Whoever waited first uses what was loaded before something else may take its place.
        this.#clock.after(0, this.#onChange);
      }
    }
  }

  async #wait<Outcome>({ signal, deadlineMs }: CallLimits, outcome: () => Outcome | undefined): Promise<Outcome> {
    const endMs = Math.min(deadlineMs, this.#clock.now() + this.#bounds.waitMsMax);
    for (;;) {
      signal.throwIfAborted();
      const found = outcome();
      if (found !== undefined) return found;
      const leftMs = endMs - this.#clock.now();
      if (leftMs <= 0) throw new ServiceError("DEADLINE_EXCEEDED", "the version was not loaded in time");
      await this.#changed(signal, leftMs);
    }
  }

  #changed(signal: Cancellation, msMax: number): Promise<void> {
    return new Promise((resolve) => {
      const wake = () => {
        cancelTimer();
        signal.removeEventListener("abort", wake);
        this.#wakers.delete(wake);
        resolve();
      };
      const cancelTimer = this.#clock.after(msMax, wake);
      signal.addEventListener("abort", wake, { once: true });
      this.#wakers.add(wake);
    });
  }
}

function keyOf({ model, version }: Named): string {
  return `${model}/${version}`;
}

/** Nobody knows how long a load takes. */
const retryDelayMs = 1000;
