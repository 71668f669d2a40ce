import type { Clock } from "../../../lib/clock.ts";
import type { Catalogue, OnBehalf } from "../catalogue.ts";
import type { ProgressConfig, QueueConfig } from "../config.ts";
import type { DatasetCache } from "../dataset-cache.ts";
import type { Compute } from "../engine/device.ts";
import type { InitialModels } from "../initial-models.ts";
import type { JobFolders } from "../job-folders.ts";
import type { JobProcesses } from "../job-process/job-processes.ts";
import type { JobResult } from "../jobs/job.ts";
import type { WorkKind, WorkSpecs } from "../jobs/work.ts";
import type { Running } from "../queue/job-attempt.ts";
import type { JobChanges } from "../queue/job-changes.ts";
import type { JobQueue } from "../queue/job-queue.ts";
import type { JobStore } from "../queue/job-store.ts";

/** The nodes that answer, behind the gateway. */
export interface Nodes {
  /** Where the Open Inference Protocol is answered. */
  readonly address: string;
  /** Longest call, in milliseconds. */
  readonly timeoutMs: number;
}

/** What work is done with. */
export interface WorkParts {
  readonly catalogue: Catalogue;
  readonly initialModels: InitialModels;
  readonly store: JobStore;
  readonly nodes: Nodes;
  readonly compute: Compute;
  readonly bounds: QueueConfig;
  readonly progress: ProgressConfig;
  readonly queue: JobQueue;
  readonly changes: JobChanges;
  /** Where jobs do what they do. */
  readonly processes: JobProcesses;
  /** For the files of jobs at work. */
  readonly folders: JobFolders;
  /** Files of datasets. */
  readonly datasets: DatasetCache;
  /** Bytes of all files of an archive together, without compression. */
  readonly expandedBytesMax: number;
  /** How long the registry keeps a checkpoint, or what a trial has made, of a job that nothing more is heard of, in milliseconds. */
  readonly holdMs: number;
  /** How long a job may run that says nothing else, over all attempts. */
  readonly runTimeMsMax: number;
  /** How long it may take to check new jobs that begin with a version, in milliseconds. */
  readonly checkMsMax: number;
  readonly clock: Clock;
}

/** How one kind of work is checked and done. */
export interface WorkRules<Kind extends WorkKind> {
  /** Checks all that can be checked before the job is accepted; throws SPEC_INVALID, REQUEST_INVALID, or the registry's faults. */
  check(spec: WorkSpecs[Kind], parts: WorkParts, onBehalf: OnBehalf): Promise<void>;
  /**
   * Does the work, from its beginning or from what an earlier attempt has left; the same job leaves the same result, once. Throws the
   * signal's reason soon after it aborts, and UNAVAILABLE where another attempt makes sense.
   */
  run(spec: WorkSpecs[Kind], parts: WorkParts, running: Running): Promise<JobResult>;
}
