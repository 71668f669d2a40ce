import { messageOf, ServiceError } from "../../../lib/errors.ts";
import { Alarm } from "./alarm.ts";
import { Deliveries } from "./deliveries.ts";
import type { Delivery } from "./delivery.ts";
import { type AttemptParts, JobAttempt } from "./job-attempt.ts";
import type { JobQueue } from "./job-queue.ts";
import type { RedisClient } from "./redis.ts";

/** What a job worker is made of. */
export interface JobWorkerParts extends AttemptParts {
  readonly redis: RedisClient;
  readonly queue: JobQueue;
  /** Whether jobs of a class may be taken, by its name. */
  readonly fits: (name: string) => boolean;
  /** How many jobs run at the same time. */
  readonly concurrency: number;
}

/** Takes the jobs that fit from their queues, the most urgent first, as many at the same time as it may, and makes an attempt at each. */
export class JobWorker {
  readonly #parts: JobWorkerParts;
  readonly #deliveries: Deliveries;
  readonly #alarm: Alarm;
  readonly #stopping = new AbortController();
  readonly #running = new Set<Promise<void>>();
  #loop: Promise<void> | undefined;
  #unwatch = () => {};

  constructor(parts: JobWorkerParts) {
    this.#parts = parts;
    this.#deliveries = new Deliveries(parts);
    this.#alarm = new Alarm(parts.clock);
  }

  start(): void {
    this.#unwatch = this.#parts.changes.onQueued(() => this.#alarm.ring());
    this.#loop = this.#takeJobs();
  }

  /**
   * Stops taking jobs and gives back the running ones: another worker, or this one after a restart, begins them again. Where
   * Redis cannot be told in time, the jobs are free once their locks have run out.
   */
  async stop(): Promise<void> {
    this.#unwatch();
    this.#stopping.abort(new ServiceError("DRAINING", "the trainer is shutting down"));
    this.#alarm.ring();
    await this.#within(stopTimeoutMs, Promise.all([this.#loop, ...this.#running]));
    await this.#within(closeTimeoutMs, this.#deliveries.stop());
  }

  async #within(msMax: number, work: Promise<unknown>): Promise<void> {
    let cancel = () => {};
    const patience = new Promise<void>((resolve) => {
      cancel = this.#parts.clock.after(msMax, resolve);
    });
    await Promise.race([work, patience]);
    cancel();
  }

  async #takeJobs(): Promise<void> {
    while (!this.#stopping.signal.aborted) {
      const delivery = this.#running.size < this.#parts.concurrency ? await this.#next() : undefined;
      if (delivery === undefined) await this.#alarm.wait(pollMs);
      else this.#take(delivery);
    }
  }

  async #next(): Promise<Delivery | undefined> {
    try {
      return await this.#deliveries.next();
    } catch (failure) {
      this.#parts.log.debug({ error: messageOf(failure) }, "no jobs can be taken at present");
      return undefined;
    }
  }

  #take(delivery: Delivery): void {
    const running = new JobAttempt(this.#parts, delivery, this.#stopping.signal)
      .run()
      .catch((failure) => this.#parts.log.warn({ error: messageOf(failure), job: delivery.id }, "job left to its lock"))
      .finally(() => {
        this.#running.delete(running);
        this.#alarm.ring();
      });
    this.#running.add(running);
  }
}

/** How often jobs are asked for where nobody says that there are any, in milliseconds: some were delayed, or their workers have died. */
const pollMs = 1000;
/** How long a stop waits for running jobs to be given back, in milliseconds. */
const stopTimeoutMs = 5000;
/** How long it then waits for connections to be closed, in milliseconds. */
const closeTimeoutMs = 1000;
