import { Queue } from "bullmq";
import type { Redis } from "ioredis";
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

  constructor(redis: Redis, config: QueueConfig, store: JobStore, log: Log) {
    this.#queue = new Queue(queueName, { connection: redis, prefix: keyPrefix });
    this.#queue.on("error", (error) => log.warn({ error }, "queue"));
    this.#config = config;
    this.#store = store;
  }

  /** Queues a job; queueing it again changes nothing. */
  async add(id: string): Promise<void> {
    const { attemptsMax, retryDelayMs } = this.#config;
    await reaching(() =>
      this.#queue.add("job", null, {
        jobId: id,
        attempts: attemptsMax,
        backoff: { type: "exponential", delay: retryDelayMs },
        removeOnComplete: true,
        removeOnFail: true,
      }),
    );
  }

  /** Takes a waiting job out of the queue; a job that a worker holds stays, and the worker sees that it has ended. */
  async remove(id: string): Promise<void> {
    await reaching(() => this.#queue.remove(id));
  }

  /** Queues whatever was stored but not queued when a process died between the two. */
  async recover(): Promise<void> {
    for (const id of await this.#store.openIds()) await this.add(id);
  }

  async stop(): Promise<void> {
    await this.#queue.close();
  }
}
