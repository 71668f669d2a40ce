import { join } from "node:path";
import { type Clock, systemClock } from "../../lib/clock.ts";
import type { RegistryServiceDefinition } from "../../lib/gen/amaas/registry/v1/RegistryService.ts";
import type { TrainerServiceHandlers } from "../../lib/gen/amaas/trainer/v1/TrainerService.ts";
import { createLog, type Log } from "../../lib/log.ts";
import type { Service } from "../../lib/process.ts";
import { RpcClient } from "../../lib/rpc/client.ts";
import { RpcServer } from "../../lib/rpc/server.ts";
import { runStopSteps, stopMsMaxOf } from "../../lib/stop-steps.ts";
import { Catalogue } from "./catalogue.ts";
import type { TrainerConfig } from "./config.ts";
import { DatasetCache } from "./dataset-cache.ts";
import { inspectionHandler } from "./handlers/inspect-dataset.ts";
import { jobHandlers } from "./handlers/jobs.ts";
import { InitialModels } from "./initial-models.ts";
import { JobFolders } from "./job-folders.ts";
import { JobHolds } from "./job-holds.ts";
import { JobProcesses } from "./job-process/job-processes.ts";
import type { Job } from "./jobs/job.ts";
import { fits } from "./jobs/resource-class.ts";
import type { Running } from "./queue/job-attempt.ts";
import { JobChanges } from "./queue/job-changes.ts";
import { JobQueue } from "./queue/job-queue.ts";
import { JobStore } from "./queue/job-store.ts";
import { JobWorker } from "./queue/job-worker.ts";
import { openRedis, type RedisPurpose } from "./queue/redis.ts";
import { afterEnd } from "./work/after-end.ts";
import { runWork } from "./work/works.ts";

/** The trainer: takes jobs, runs them, registers their results. */
export class TrainerService implements Service {
  readonly #config: TrainerConfig;
  readonly #clock: Clock;
  readonly #log: Log;
  /** What was acquired, and how to release it, in order of acquisition. */
  readonly #releases: [name: string, release: () => unknown][] = [];

  constructor(config: TrainerConfig, clock: Clock = systemClock) {
    this.#config = config;
    this.#clock = clock;
    this.#log = createLog("trainer", config.logLevel);
  }

  async start(): Promise<{ readonly port: number }> {
    const { queue: bounds, compute, registryAddress, registryTimeoutMs } = this.#config;
    const clock = this.#clock;
    const [commands, blocking, subscriber] = [
      await this.#redis("commands"),
      await this.#redis("blocking"),
      await this.#redis("subscriber"),
    ];
    const registry = new RpcClient<RegistryServiceDefinition>("amaas.registry.v1.RegistryService", registryAddress);
    this.#releases.push(["registry client", () => registry.close()]);
    const catalogue = new Catalogue(registry, registryTimeoutMs, this.#config);

    const store = new JobStore(commands, bounds, clock);
    const holds = new JobHolds({ catalogue, store, holdMs: this.#config.datasetHoldMs, clock, log: this.#log });
    this.#releases.push(["holds of jobs", () => holds.stop()]);
    holds.start();
    const changes = new JobChanges(subscriber, clock);
    await changes.start();
    const queue = new JobQueue(commands, store, clock, this.#log);
    this.#releases.push(["job queue", () => queue.stop()]);
    await queue.start();

    const folders = new JobFolders(join(this.#config.dataDir, "trainer", "jobs"), clock, this.#log);
    await folders.start();
    const datasets = new DatasetCache({
      catalogue,
      folder: join(this.#config.dataDir, "trainer", "datasets"),
      bytesMax: this.#config.datasetCacheBytesMax,
      log: this.#log,
    });
    await datasets.start();
    const { nodes, datasetHoldMs: holdMs, datasetBytesMax: expandedBytesMax, runTimeMsMax, checkMsMax } = this.#config;
    const processes = new JobProcesses({
      spareMax: this.#config.spareProcessesMax,
      spareHeapBytesMax: this.#config.offer.memoryBytes,
      log: this.#log,
    });
    this.#releases.push(["spare processes", () => processes.stop()]);
    const files = { folders, datasets, expandedBytesMax, holdMs };
    const initialModels = new InitialModels(catalogue, folders, {
      countMax: this.#config.initialVersionsMax,
      waitingMax: this.#config.initialVersionsWaitingMax,
    });
    const parts = { catalogue, initialModels, store, nodes, queue, changes, compute, bounds, processes };
    const work = { ...parts, ...files, runTimeMsMax, checkMsMax, progress: this.#config.progress, clock };
    const attempts = {
      redis: blocking,
      config: bounds,
      store,
      queue,
      changes,
      process: async (running: Running) => {
        await holds.hold(running.job, running.signal);
        return runWork(work, running);
      },
      onEnd: (job: Job) => afterEnd({ store, queue, holds, log: this.#log }, job),
      clock,
      log: this.#log,
    };
    // Sweeps wait for other jobs, so they must not take their places.
    const [worker, sweeper] = [
      new JobWorker({ ...attempts, concurrency: bounds.concurrency, fits: (name) => fits(name, this.#config.offer) }),
      new JobWorker({ ...attempts, concurrency: bounds.sweepsMax, fits: (name) => name === "sweep" }),
    ];
    this.#releases.push(["sweeps", () => sweeper.stop()], ["job worker", () => worker.stop()]);
    const server = new RpcServer(this.#config, this.#log);
    server.implement<TrainerServiceHandlers>("amaas.trainer.v1.TrainerService", {
      ...jobHandlers({ store, queue, changes, holds, work, watching: this.#config.watching }),
      ...inspectionHandler(work, this.#config.inspection),
    });
    this.#releases.push(["server", () => server.stop()]);
    const port = await server.start();
    processes.start();
    worker.start();
    sweeper.start();
    this.#log.info({ port }, "listening");
    return { port };
  }

  /** Refuses new calls, gives running jobs back to the queue, closes connections last. */
  async stop(): Promise<void> {
    const steps = this.#releases.splice(0).reverse();
    await runStopSteps(steps, { msMax: stopMsMaxOf(this.#config), log: this.#log });
  }

  async #redis(purpose: RedisPurpose) {
    const redis = await openRedis(this.#config.redisUrl, purpose, this.#log);
    this.#releases.push([`redis for ${purpose}`, () => redis.disconnect()]);
    return redis;
  }
}
