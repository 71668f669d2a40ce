import type { Clock } from "../../../lib/clock.ts";
import type { ServiceError } from "../../../lib/errors.ts";
import type { PendingRequest } from "../batching/pending-request.ts";
import type { PoolObserver } from "../batching/pool-observer.ts";
import { runAhead } from "../batching/run-ahead.ts";
import { runBatch } from "../batching/run-batch.ts";
import type { Instance } from "./instance.ts";
import type { InstanceSet } from "./instance-set.ts";

/** What runs need. */
export interface PoolRunsOptions {
  readonly instances: Pick<InstanceSet, "take" | "takeAhead" | "giveBack">;
  /** Called with how many milliseconds each run took that was there from its beginning to its end. */
  readonly onRan: (durationMs: number) => void;
  /** Called when what was given ahead has begun, or will not. */
  readonly onBegun: (request: PendingRequest) => void;
  /** Called when an instance has nothing to do any more, or is lost. */
  readonly onEnd: () => void;
  /** See `BatchRunner`. */
  readonly onUnjoinable: (why: string) => void;
  /** Called with a request that is to be run once more, and what fails it where it cannot be. */
  readonly onAgain: (request: PendingRequest, fault: ServiceError) => void;
  /** The fault of a request whose instance was lost before it was its turn. */
  readonly lostFault: () => ServiceError;
  readonly observer: PoolObserver;
  readonly clock: Clock;
}

/** What the instances of a pool have to do. */
export class PoolRuns {
  readonly #options: PoolRunsOptions;
  #count = 0;
  /** What an instance was given ahead and has not begun, as far as one knows. */
  #ahead: PendingRequest | undefined;

  constructor(options: PoolRunsOptions) {
    this.#options = options;
  }

  /** Those that instances have, or had when they were lost. */
  get count(): number {
    return this.#count;
  }

  /** Runs a batch on an instance that is free. */
  run(batch: readonly PendingRequest[]): void {
    const { instances, onUnjoinable, observer, clock } = this.#options;
    const instance = instances.take();
    const beginMs = clock.monotonicMs();
    void this.#occupied(instance, (onRan) =>
      runBatch(batch, {
        run: (inputs, outputNames) => instance.run(inputs, outputNames),
        onRan: () => onRan(clock.monotonicMs() - beginMs),
        onUnjoinable,
        onLost: (lost, fault) => this.#runAgain(lost, fault),
        observer,
        clock,
      }),
    );
  }

  /** Gives a request to an instance that takes one ahead. */
  runAhead(request: PendingRequest): void {
    const { instances, onAgain, lostFault, observer, clock } = this.#options;
    const instance = instances.takeAhead();
    this.#ahead = request;
    void this.#occupied(instance, (onRan) =>
      runAhead(request, {
        run: (inputs, outputNames, deadlineMs) => instance.runAhead(inputs, outputNames, deadlineMs),
        onRan,
        onNotBegun: () => onAgain(request, lostFault()),
        onLost: (lost, fault) => this.#runAgain(lost, fault),
        observer,
        clock,
      }),
    );
  }

  /** `work` calls its argument when the run has ended, with how long it took, and answers whether the instance is still there. */
  async #occupied(instance: Instance, work: (onRan: (durationMs: number) => void) => Promise<boolean>): Promise<void> {
    const { instances, onRan, onBegun, onEnd } = this.#options;
    let isDone = false;
    const end = (isThere: boolean) => {
      isDone = true;
      this.#count--;
      // Its turn has come, or it was this.
      if (this.#ahead !== undefined) onBegun(this.#ahead);
      this.#ahead = undefined;
      if (isThere) instances.giveBack(instance);
      onEnd();
    };
    this.#count++;
    const isThere = await work((durationMs) => {
      onRan(durationMs);
      end(true);
    });
    if (!isDone) end(isThere);
  }

  /** What a lost instance had begun is run once more. */
  #runAgain(lost: readonly PendingRequest[], fault: ServiceError): void {
    for (const request of lost) {
      if (request.lose()) this.#options.onAgain(request, fault);
      else request.reject(fault);
    }
  }
}
