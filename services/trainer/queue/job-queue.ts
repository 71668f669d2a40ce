import { Queue } from "bullmq";
import type { Redis } from "ioredis";
import type { Clock } from "../../../lib/clock.ts";
import { messageOf } from "../../../lib/errors.ts";
import type { Log } from "../../../lib/log.ts";
import type { QueueConfig } from "../config.ts";
import type { JobStore } from "./job-store.ts";
import { keyPrefix, reaching } from "./redis.ts";

/** The name of the BullMQ queue of all trainers. */
export const queueName = "jobs";

/** Delivers ids of jobs to workers, each at least once until its job has ended. */
export class JobQueue {
  readonly #queue: Queue;
  readonly #config: QueueConfig;
  readonly #store: JobStore;
  readonly #clock: Clock;
  readonly #log: Log;
  #cancelRecovery: () => void = () => undefined;
  #stopped = false;

  constructor(redis: Redis, config: QueueConfig, store: JobStore, clock: Clock, log: Log) {
    this.#queue = new Queue(queueName, { connection: redis, prefix: keyPrefix });
    this.#queue.on("error", (error) => log.debug({ error: messageOf(error) }, "queue"));
    this.#config = config;
    this.#store = store;
    this.#clock = clock;
    this.#log = log;
  }

  /** Queues whatever was stored but not queued when a process or a connection died between the two; now and from time to time. */
  async start(): Promise<void> {
    await this.#recover();
    this.#recoverLater();
  }

  /** Queues a job; queueing it again changes nothing. */
  async add(id: string): Promise<void> {
    const { attemptsMax } = this.#config;
    await reaching(() =>
      this.#queue.add("job", null, {
        jobId: id,
        attempts: attemptsMax,
        backoff: { type: "custom" },
        removeOnComplete: true,
        removeOnFail: true,
      }),
    );
  }

  /** Takes a waiting job out of the queue; a job that a worker holds stays, and the worker sees that it has ended. */
  async remove(id: string): Promise<void> {
    await reaching(() => this.#queue.remove(id));
  }

  async stop(): Promise<void> {
    this.#stopped = true;
    this.#cancelRecovery();
    await this.#queue.close();
  }

  async #recover(): Promise<void> {
    for (const id of await this.#store.openIds()) await this.add(id);
  }

  #recoverLater(): void {
    if (this.#stopped) return;
    this.#cancelRecovery = this.#clock.after(recoveryMs, () => {
      this.#recover()
        .catch((failure) => this.#log.warn({ error: messageOf(failure) }, "open jobs cannot be queued again yet"))
        .finally(() => this.#recoverLater());
    });
  }
}

/** How often open jobs are queued again, in milliseconds. */
const recoveryMs = 30_000;
