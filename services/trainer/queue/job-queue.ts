import { Queue } from "bullmq";
import type { Clock } from "../../../lib/clock.ts";
import { messageOf } from "../../../lib/errors.ts";
import type { Log } from "../../../lib/log.ts";
import { type Job, jobStates } from "../jobs/job.ts";
import { priorityMax } from "../jobs/priority.ts";
import { type ResourceClass, resourceClassOf } from "../jobs/resource-class.ts";
import { queuedChannel } from "./job-changes.ts";
import type { JobStore } from "./job-store.ts";
import { keyPrefix, type RedisClient, reaching } from "./redis.ts";

/** As much of a job as its delivery needs. */
export type QueuedJob = Pick<Job, "id" | "work" | "priority">;

/** The job that is next in a queue. */
export interface Head {
  readonly priority: number;
  readonly timeMs: number;
}

/**
 * Delivers ids of jobs to workers, each at least once until its job has ended or is paused: by one BullMQ queue for each resource class, in which
 * jobs are ordered by priority and then by age.
 */
export class JobQueue {
  readonly #redis: RedisClient;
  readonly #store: JobStore;
  readonly #clock: Clock;
  readonly #log: Log;
  readonly #queues = new Map<string, Queue>();
  #cancelRecovery: () => void = () => undefined;
  #stopped = false;

  constructor(redis: RedisClient, store: JobStore, clock: Clock, log: Log) {
    this.#redis = redis;
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
  async add(job: QueuedJob): Promise<void> {
    await this.#put(job);
    await this.tellWorkers();
  }

  /** Takes a waiting job out of its queue; a job that a worker holds stays, and the worker sees that it has ended or is paused. */
  async remove({ id, work }: QueuedJob): Promise<void> {
    await reaching(() => this.#queue(resourceClassOf(work)).remove(id));
  }

  /** Moves a waiting job to the place of its priority; one that a worker holds is there when it comes back. */
  async reorder({ id, work, priority }: QueuedJob): Promise<void> {
    const delivery = await reaching(() => this.#queue(resourceClassOf(work)).getJob(id));
    await reaching(async () => delivery?.changePriority({ priority: bullPriority(priority) }));
    await this.tellWorkers();
  }

  /** The names of the classes that have had jobs so far. */
  classes(): Promise<readonly string[]> {
    return reaching(() => this.#redis.smembers(classesKey));
  }

  /** What is next in the queue of a class, as far as it is known without taking it. */
  async head(name: string): Promise<Head | undefined> {
    const [first] = await reaching(() => this.#queue(name).getPrioritized(0, 0));
    return first && { priority: priorityMax + 1 - first.priority, timeMs: first.timestamp };
  }

  /** Has workers look for jobs. */
  async tellWorkers(): Promise<void> {
    await reaching(() => this.#redis.publish(queuedChannel, ""));
  }

  async stop(): Promise<void> {
    this.#stopped = true;
    this.#cancelRecovery();
    for (const queue of this.#queues.values()) await queue.close();
  }

  async #put({ id, work, priority }: QueuedJob): Promise<void> {
    const name = resourceClassOf(work);
    await reaching(() => this.#redis.sadd(classesKey, name));
    const options = { jobId: id, priority: bullPriority(priority), removeOnComplete: true };
    await reaching(() => this.#queue(name).add("job", null, options));
  }

  #queue(name: ResourceClass | string): Queue {
    const known = this.#queues.get(name);
    if (known !== undefined) return known;
    const queue = new Queue(name, { connection: this.#redis, prefix: keyPrefix });
    queue.on("error", (error) => this.#log.debug({ error: messageOf(error), queue: name }, "queue"));
    this.#queues.set(name, queue);
    return queue;
  }

  async #recover(): Promise<void> {
    const open = await this.#store.openIds();
    let isAnyMissing = false;
    for (let first = 0; first < open.length; first += recoveredAtOnce) {
      for (const id of await this.#missing(open.slice(first, first + recoveredAtOnce))) {
        const job = await this.#store.find(id);
        if (job === undefined || !jobStates[job.state].queued) continue;
        await this.#put(job);
        isAnyMissing = true;
      }
    }
    if (isAnyMissing) await this.tellWorkers();
  }

  /** Those that are in no queue. */
  async #missing(ids: readonly string[]): Promise<readonly string[]> {
    const queues = (await this.classes()).map((name) => this.#queue(name));
    if (queues.length === 0) return ids;
    const counts = await reaching(() =>
      Promise.all(ids.map((id) => this.#redis.exists(...queues.map((queue) => queue.toKey(id))))),
    );
    return ids.filter((_, index) => counts[index] === 0);
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

/** In BullMQ less is earlier, and 0 is none. */
function bullPriority(priority: number): number {
  return priorityMax + 1 - priority;
}

const classesKey = `${keyPrefix}:classes`;
/** How often it is looked for open jobs that are in no queue, in milliseconds. */
const recoveryMs = 30_000;
/** How many jobs are looked for at once, with a command for each. */
const recoveredAtOnce = 250;
