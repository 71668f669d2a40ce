import { availableParallelism, totalmem } from "node:os";
import type { Settings } from "../../lib/env.ts";
import { readServiceConfig, type ServiceConfig } from "../../lib/service-config.ts";
import { type Compute, devices } from "./engine/device.ts";
import { threadCountMax } from "./engine/training-plan.ts";
import type { Offer } from "./jobs/resource-class.ts";

/** The trainer's settings; its README says what each is for. */
export interface TrainerConfig extends ServiceConfig {
  readonly port: number;
  readonly registryAddress: string;
  readonly redisUrl: string;
  readonly queue: QueueConfig;
  readonly watching: WatchConfig;
  readonly progress: ProgressConfig;
  readonly datasetBytesMax: number;
  /** Of all files of datasets that are kept on this machine; 0 keeps none. */
  readonly datasetCacheBytesMax: number;
  readonly inspection: InspectionConfig;
  /** Of all files of a version that a job begins with. */
  readonly modelBytesMax: number;
  /** Such versions that are looked at for new jobs at the same time. */
  readonly initialVersionsMax: number;
  /** Calls that wait for that, at most. */
  readonly initialVersionsWaitingMax: number;
  /** How long that may take, in milliseconds. */
  readonly checkMsMax: number;
  /** How long the registry keeps the dataset of a job that nothing more is heard of, in milliseconds. */
  readonly datasetHoldMs: number;
  /** The device is that of jobs that name none. */
  readonly compute: Compute;
  /** What jobs find here. */
  readonly offer: Offer;
  /** Processes of jobs that are started ahead. */
  readonly spareProcessesMax: number;
  readonly registryTimeoutMs: number;
  /** Where batch inference asks, and how long it waits for an answer, in milliseconds. */
  readonly nodes: { readonly address: string; readonly timeoutMs: number };
  /** How long a job may run that says nothing else, over all attempts, in milliseconds. */
  readonly runTimeMsMax: number;
}

/** Bounds of those who watch jobs at this process. */
export interface WatchConfig {
  /** Calls at the same time. */
  readonly watchersMax: number;
  /** How often those who wait are told of events, in milliseconds, but at once after a pause and at the end: each time costs a write to each. */
  readonly paceMs: number;
  /** Events of a job that are read from the store at once, and of which the latest are kept for all who watch it. */
  readonly eventsMax: number;
  /** What those may take, in bytes. */
  readonly bytesMax: number;
}

/** How often progress of a job is told. */
export interface ProgressConfig {
  /** In the long run, in milliseconds: each report takes more than one millisecond of a core, which the training wants. */
  readonly paceMs: number;
  /** How many may come at once, so that every epoch of a short training is told. */
  readonly burstMax: number;
}

/** Bounds of the calls that look at datasets. */
export interface InspectionConfig {
  /** At the same time. */
  readonly countMax: number;
  /** Of one. */
  readonly memoryBytesMax: number;
  readonly timeMsMax: number;
}

/** Bounds of the job queue. */
export interface QueueConfig {
  /** Jobs that run at the same time in this process. */
  readonly concurrency: number;
  /** Sweeps that are led at the same time by this process, beside its other jobs. */
  readonly sweepsMax: number;
  /** Jobs that wait, run or are paused, over all trainers. */
  readonly openJobsMax: number;
  /** Ended jobs that are kept, over all trainers; the oldest go first. */
  readonly endedJobsMax: number;
  /** Events that are kept per job; the oldest go first. */
  readonly eventsMax: number;
  /** Attempts in a row at a job that leave nothing behind, and at the registration of its result. */
  readonly attemptsMax: number;
  /** Wait before the second attempt, doubled before each further one up to a minute, in milliseconds. */
  readonly retryDelayMs: number;
  /** How long a job stays with a worker that nothing is heard of, in milliseconds. */
  readonly lockMs: number;
}

/** Reads and checks every setting of the trainer. */
export function readTrainerConfig(settings: Settings): TrainerConfig {
  const whole = (name: string, preset: number, min: number, max: number) =>
    settings.integer(`AMAAS_TRAINER_${name}`, { default: preset, min, max });
  const offered = settings.choices("AMAAS_TRAINER_DEVICES", devices, ["cpu"]);
  const memoryBytes = whole("MEMORY_BYTES_MAX", machineBytes(), 1, Number.MAX_SAFE_INTEGER);
  return {
    ...readServiceConfig(settings),
    port: settings.port("AMAAS_TRAINER_PORT", 8201),
    registryAddress: settings.address("AMAAS_REGISTRY_ADDRESS", "127.0.0.1:8101"),
    redisUrl: settings.redisServiceUrl("AMAAS_REDIS_URL", "redis://127.0.0.1:6379"),
    queue: {
      concurrency: whole("CONCURRENCY", 1, 1, 64),
      sweepsMax: whole("SWEEPS_MAX", 16, 1, 1000),
      openJobsMax: whole("OPEN_JOBS_MAX", 1000, 1, 1_000_000),
      endedJobsMax: whole("ENDED_JOBS_MAX", 10_000, 1, 1_000_000),
      eventsMax: whole("EVENTS_MAX", 20_000, 10, 1_000_000),
      attemptsMax: whole("ATTEMPTS_MAX", 16, 1, 100),
      retryDelayMs: whole("RETRY_DELAY_MS", 1000, 10, 3_600_000),
      lockMs: whole("LOCK_MS", 5000, 1000, 60_000),
    },
    watching: {
      watchersMax: whole("WATCHERS_MAX", 10_000, 1, 1_000_000),
      paceMs: whole("WATCH_PACE_MS", 200, 0, 60_000),
      eventsMax: whole("WATCH_EVENTS_MAX", 256, 1, 10_000),
      bytesMax: whole("WATCH_BYTES_MAX", 4 * 1024 ** 2, 1024, 1024 ** 3),
    },
    progress: {
      paceMs: whole("PROGRESS_PACE_MS", 100, 1, 3_600_000),
      burstMax: whole("PROGRESS_BURST_MAX", 64, 1, 10_000),
    },
    datasetBytesMax: whole("DATASET_BYTES_MAX", 1024 ** 3, 1, 64 * 1024 ** 3),
    datasetCacheBytesMax: whole("DATASET_CACHE_BYTES_MAX", 8 * 1024 ** 3, 0, 1024 ** 5),
    inspection: {
      countMax: whole("INSPECTIONS_MAX", 2, 1, 64),
      memoryBytesMax: whole("INSPECTION_MEMORY_BYTES_MAX", 1024 ** 3, 256 * 1024 ** 2, 1024 ** 4),
      timeMsMax: whole("INSPECTION_MS_MAX", 120_000, 1000, 3_600_000),
    },
    modelBytesMax: whole("MODEL_BYTES_MAX", 1024 ** 3, 1, 64 * 1024 ** 3),
    initialVersionsMax: whole("INITIAL_VERSIONS_MAX", 2, 1, 64),
    initialVersionsWaitingMax: whole("INITIAL_VERSIONS_WAITING_MAX", 256, 0, 100_000),
    checkMsMax: whole("CHECK_MS_MAX", 120_000, 1000, 3_600_000),
    datasetHoldMs: whole("DATASET_HOLD_MS", 7 * dayMs, 1000, 30 * dayMs),
    compute: {
      threadCount: whole("THREADS", Math.min(availableParallelism(), threadCountMax), 1, threadCountMax),
      device: offered[0]!,
      memoryBytesMax: memoryBytes,
    },
    offer: { devices: offered, memoryBytes },
    spareProcessesMax: whole("SPARE_PROCESSES_MAX", 1, 0, 64),
    registryTimeoutMs: whole("REGISTRY_TIMEOUT_MS", 30_000, 100, 3_600_000),
    nodes: {
      address: settings.address("AMAAS_GATEWAY_ADDRESS", "127.0.0.1:8001"),
      timeoutMs: whole("INFER_TIMEOUT_MS", 30_000, 100, 3_600_000),
    },
    runTimeMsMax: whole("RUN_TIME_MS_MAX", 7 * dayMs, 1000, 24 * dayMs),
  };
}

/** All that the process can have: that of the machine, or of its container where that is less. */
function machineBytes(): number {
  return Math.min(totalmem(), process.constrainedMemory() || Number.POSITIVE_INFINITY);
}

const dayMs = 24 * 60 * 60 * 1000;
