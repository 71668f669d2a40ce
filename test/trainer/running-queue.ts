import { systemClock } from "../../lib/clock.ts";
import type { TrainSpec__Output } from "../../lib/gen/amaas/trainer/v1/TrainSpec.ts";
import { createLog } from "../../lib/log.ts";
import type { QueueConfig } from "../../services/trainer/config.ts";
import type { Job } from "../../services/trainer/jobs/job.ts";
import { fits, type Offer } from "../../services/trainer/jobs/resource-class.ts";
import { Alarm } from "../../services/trainer/queue/alarm.ts";
import type { JobProcessor } from "../../services/trainer/queue/job-attempt.ts";
import { JobChanges } from "../../services/trainer/queue/job-changes.ts";
import { JobQueue } from "../../services/trainer/queue/job-queue.ts";
import { JobStore } from "../../services/trainer/queue/job-store.ts";
import { JobWorker } from "../../services/trainer/queue/job-worker.ts";
import { openRedis, type RedisClient, type RedisPurpose } from "../../services/trainer/queue/redis.ts";

const log = createLog("test", "silent");

/** Bounds that a test may change. */
export const queueConfig: QueueConfig = {
  concurrency: 1,
  sweepsMax: 1,
  openJobsMax: 100,
  endedJobsMax: 100,
  eventsMax: 1000,
  attemptsMax: 3,
  retryDelayMs: 10,
  lockMs: 5000,
};

/** What a worker of a test is, besides what it does. */
export interface TestWorker {
  readonly concurrency?: number;
  readonly offer?: Offer;
  readonly lockMs?: number;
}

/** A job store, its queue and workers on a real Redis, whose jobs do what a test says. */
export class RunningQueue {
  readonly #url: string;
  readonly #connections: RedisClient[] = [];
  readonly #workers: JobWorker[] = [];
  readonly ended: string[] = [];
  store!: JobStore;
  queue!: JobQueue;
  changes!: JobChanges;

  constructor(url: string) {
    this.#url = url;
  }

  async start(config = queueConfig): Promise<void> {
    const commands = await this.#redis("commands");
    this.store = new JobStore(commands, config, systemClock);
    this.queue = new JobQueue(commands, this.store, systemClock, log);
    this.changes = new JobChanges(await this.#redis("subscriber"), systemClock);
    await this.changes.start();
  }

  /** Stores and queues a job. */
  async submit(spec: object = {}, priority = 0): Promise<Job> {
    const work = { kind: "train", spec: { device: "DEVICE_UNSPECIFIED", ...spec } as TrainSpec__Output } as const;
    const job = await this.store.create({ work, priority, requestId: "r" }, "");
    await this.queue.add(job);
    return job;
  }

  async startWorker(
    process: JobProcessor,
    { concurrency = 1, offer = anything, lockMs = queueConfig.lockMs }: TestWorker = {},
  ): Promise<JobWorker> {
    const { store, queue, changes } = this;
    const worker = new JobWorker({
      redis: await this.#redis("blocking"),
      config: { ...queueConfig, lockMs },
      store,
      queue,
      changes,
      process,
      fits: (name) => fits(name, offer),
      concurrency,
      onEnd: ({ id }) => this.ended.push(id),
      clock: systemClock,
      log,
    });
    worker.start();
    this.#workers.push(worker);
    return worker;
  }

  /** Settles at the next change of a job, or after a while without one. */
  changed(id: string): Promise<void> {
    return new Promise((resolve) => {
      const unwatch = this.changes.watch(id, () => {
        unwatch();
        resolve();
      });
    });
  }

  /** Settles once a job is in one of some states; answers it. */
  async reaches(id: string, ...states: readonly Job["state"][]): Promise<Job> {
    const alarm = new Alarm(systemClock);
    const unwatch = this.changes.watch(id, () => alarm.ring());
    try {
      for (;;) {
        const job = await this.store.get(id);
        if (states.includes(job.state)) return job;
        await alarm.wait(1000);
      }
    } finally {
      unwatch();
    }
  }

  async stop(): Promise<void> {
    await Promise.all(this.#workers.splice(0).map((worker) => worker.stop()));
    await this.queue.stop();
    for (const redis of this.#connections.splice(0)) redis.disconnect();
  }

  async #redis(purpose: RedisPurpose): Promise<RedisClient> {
    const redis = await openRedis(this.#url, purpose, log);
    this.#connections.push(redis);
    return redis;
  }
}

const anything: Offer = { devices: ["cpu", "webgpu", "cuda"], memoryBytes: Number.MAX_SAFE_INTEGER };
