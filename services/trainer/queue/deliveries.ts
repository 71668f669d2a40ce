import { randomUUID } from "node:crypto";
import { Worker } from "bullmq";
import { messageOf } from "../../../lib/errors.ts";
import type { Log } from "../../../lib/log.ts";
import type { QueueConfig } from "../config.ts";
import { Delivery } from "./delivery.ts";
import type { Head, JobQueue } from "./job-queue.ts";
import { keyPrefix, type RedisClient } from "./redis.ts";

/** What deliveries come from. */
export interface DeliveriesParts {
  readonly redis: RedisClient;
  readonly config: Pick<QueueConfig, "lockMs">;
  readonly queue: Pick<JobQueue, "classes" | "head">;
  /** Whether jobs of a class may be taken, by its name. */
  readonly fits: (name: string) => boolean;
  readonly log: Log;
}

/** Takes jobs out of the queues of all classes that fit, and gives those of dead workers back. */
export class Deliveries {
  readonly #parts: DeliveriesParts;
  readonly #workers = new Map<string, Worker>();

  constructor(parts: DeliveriesParts) {
    this.#parts = parts;
  }

  /** Takes the job of the highest priority, and of those the one that was queued first; undefined where none waits. */
  async next(): Promise<Delivery | undefined> {
    for (const name of await this.#mostUrgentFirst()) {
      const token = randomUUID();
      const job = await (await this.#worker(name)).getNextJob(token, { block: false });
      if (job !== undefined) return new Delivery(job, token, this.#parts.config.lockMs);
    }
    return undefined;
  }

  async stop(): Promise<void> {
    await Promise.all([...this.#workers.values()].map((worker) => worker.close()));
  }

  async #mostUrgentFirst(): Promise<readonly string[]> {
    const { queue, fits } = this.#parts;
    const names = (await queue.classes()).filter(fits);
    if (names.length < 2) return names;
    const heads = await Promise.all(names.map(async (name) => ({ name, head: await queue.head(name) })));
    return heads.sort((a, b) => compareHeads(a.head, b.head)).map(({ name }) => name);
  }

  /** BullMQ's worker of a class, which is asked for jobs by hand. */
  async #worker(name: string): Promise<Worker> {
    const known = this.#workers.get(name);
    if (known !== undefined) return known;
    const { redis, log, config } = this.#parts;
    const worker = new Worker(name, null, {
      connection: redis,
      prefix: keyPrefix,
      autorun: false,
      lockDuration: config.lockMs,
      stalledInterval: Math.ceil(config.lockMs * stalledCheckShare),
      // How often a job may be begun is known to the job store.
      maxStalledCount: Number.MAX_SAFE_INTEGER,
    });
    worker.on("error", (error) => log.debug({ error: messageOf(error), queue: name }, "worker"));
    this.#workers.set(name, worker);
    await worker.startStalledCheckTimer();
    return worker;
  }
}

/** Queues whose head is not known come last: they may hold jobs that were delayed or whose worker has died. */
function compareHeads(a: Head | undefined, b: Head | undefined): number {
  if (a === undefined || b === undefined) return Number(a === undefined) - Number(b === undefined);
  return b.priority - a.priority || a.timeMs - b.timeMs;
}

/** How often each worker looks for jobs of dead workers, as a share of the time of a lock. */
const stalledCheckShare = 0.4;
