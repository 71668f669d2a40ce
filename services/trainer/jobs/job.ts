import type { Device } from "../engine/device.ts";
import type { Work } from "./work.ts";

/**
 * States of a job, whether it has ended in them, and whether workers take it in them. A running job may wait for another worker when its own
 * has died. REGISTERING is the last part of running: the job can't be cancelled or paused any more, also when it has to begin again.
 */
export const jobStates = {
  PENDING: { ended: false, queued: true },
  RUNNING: { ended: false, queued: true },
  REGISTERING: { ended: false, queued: true },
  PAUSED: { ended: false, queued: false },
  SUCCEEDED: { ended: true, queued: false },
  FAILED: { ended: true, queued: false },
  CANCELLED: { ended: true, queued: false },
} as const satisfies Record<string, { ended: boolean; queued: boolean }>;
export type JobState = keyof typeof jobStates;
export const queuedStates = (Object.keys(jobStates) as JobState[]).filter((state) => jobStates[state].queued);

/** How far a training is; losses are means over rows, accuracies shares in [0, 1]. */
export interface JobProgress {
  readonly epoch: number;
  readonly epochs: number;
  readonly step: number;
  readonly steps: number;
  readonly trainingLoss: number;
  readonly trainingAccuracy?: number;
  readonly validationLoss?: number;
  readonly validationAccuracy?: number;
  /** What else was measured on the rows held out, by the names of metrics/metric-counter.ts. */
  readonly metrics?: Readonly<Record<string, number>>;
  /** Of the last step. */
  readonly learningRate: number;
  readonly samplesPerSecond: number;
  readonly etaSeconds: number;
  /** The share of the time so far in which the runtime waited for data. */
  readonly waitedShare: number;
  /** What the steps run on. */
  readonly device: Device;
}

/** The state of a training after a step, in an artifact, "artifacts/{sha256}". */
export interface JobCheckpoint {
  readonly step: number;
  readonly timeMs: number;
  readonly artifact: string;
}

/** Something that watchers of a job should read. */
export interface LogLine {
  readonly level: "info" | "warn" | "error";
  readonly text: string;
}

/** An attempt at a job: what it writes counts only as long as no other attempt has begun. */
export type Attempt = Pick<Job, "id" | "attempts">;

/** Everything that is known of a job. Times are milliseconds since 1970. */
export interface Job {
  readonly id: string;
  readonly work: Work;
  /** Of the call that submitted it; in every log line that it causes, in every service. */
  readonly requestId: string;
  readonly state: JobState;
  /** Jobs with more of it begin earlier; 0 to 1000. */
  readonly priority: number;
  /** Times that a worker has begun it; the number of the attempt that is at work. */
  readonly attempts: number;
  /** Attempts in a row, up to the present one, that were begun and have left no checkpoint nor ended in order. */
  readonly attemptsInVain: number;
  /** The sweep that it belongs to, by its id. */
  readonly parent?: string;
  /** Of a trial that others may follow which go on from it: the epochs that all of them come to, over which the learning rate's schedule goes. */
  readonly scheduledEpochs?: number;
  readonly createTimeMs: number;
  readonly startTimeMs?: number;
  readonly endTimeMs?: number;
  readonly progress?: JobProgress;
  /** What the next attempt goes on from. */
  readonly checkpoint?: JobCheckpoint;
  /** Milliseconds that it has run, over all attempts, kept every second. */
  readonly ranMs?: number;
  /** The result, "models/{model}/versions/{number}". */
  readonly version?: string;
  readonly metrics?: Readonly<Record<string, number>>;
  readonly promotion?: Promotion;
  /** Of a trial that has succeeded: what its sweep may register. */
  readonly offer?: VersionOffer;
  /** Of a sweep: what was tried so far, by index. */
  readonly trials?: readonly Trial[];
  /** Of predict: what the next attempt goes on from. */
  readonly predicted?: Predicted;
  /** Of predict: the file with the predictions, "artifacts/{sha256}". */
  readonly output?: string;
  readonly error?: { readonly reason: string; readonly message: string };
}

/** What a job leaves that has succeeded. */
export type JobResult = Pick<Job, "version" | "metrics" | "promotion" | "output" | "offer">;

/** Artifacts that a version is made of. */
export interface VersionOffer {
  readonly model: string;
  /** What is to be known of it, as JSON. */
  readonly facts: string;
  /** What its training goes on from where it is to have more epochs. */
  readonly checkpoint?: JobCheckpoint;
}

/** One combination that a sweep tries, in one job for each rung that it reaches. */
export interface Trial {
  /** The id of its last job. */
  readonly job: string;
  /** What it was given, as JSON by field. */
  readonly parameters: Readonly<Record<string, string>>;
  /** What it has reached at each rung so far. */
  readonly scores: readonly number[];
  /** Epochs of its last job. */
  readonly epochs: number;
  readonly state: "running" | "waiting" | "succeeded" | "failed" | "ended_early";
  /** What its last job has left, as long as it is the best of all. */
  readonly offer?: VersionOffer;
  /** What its next job goes on from, as long as there may be one. */
  readonly checkpoint?: JobCheckpoint;
}

/** What has been predicted so far. */
export interface Predicted {
  /** The version that answers, "models/{model}/versions/{number}". */
  readonly version: string;
  /** The artifacts of finished parts and their indices. */
  readonly parts: readonly (readonly [index: number, artifact: string])[];
}

/** What became of an alias that was to be moved. */
export interface Promotion {
  /** "models/{model}/aliases/{alias}". */
  readonly alias: string;
  readonly moved: boolean;
  /** Why it was not moved; empty where it was. */
  readonly reason: "" | "GATE_NOT_PASSED" | "INCOMPATIBLE" | "MOVED_MEANWHILE";
  /** What was measured or compared, and what is needed; may be empty where it was moved. */
  readonly message: string;
}

/** One thing that happened to a job; `sequence` grows by one from 1. */
export type JobEvent =
  | { readonly sequence: number; readonly timeMs: number; readonly kind: "state"; readonly job: Job }
  | { readonly sequence: number; readonly timeMs: number; readonly kind: "progress"; readonly progress: JobProgress }
  | { readonly sequence: number; readonly timeMs: number; readonly kind: "log"; readonly line: LogLine };
