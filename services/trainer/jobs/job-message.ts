import type { Job as JobMessage } from "../../../lib/gen/amaas/trainer/v1/Job.ts";
import type { JobEvent as JobEventMessage } from "../../../lib/gen/amaas/trainer/v1/JobEvent.ts";
import { jobName } from "../../../lib/resource-names.ts";
import { timestampOf } from "../../../lib/timestamp.ts";
import type { Job, JobCheckpoint, JobEvent, JobState } from "./job.ts";
import { isLessBetter, leaderboardOf } from "./leaderboard.ts";
import { sweepMetricOf } from "./work.ts";

/** A job as callers see it. */
export function jobMessage(job: Job): JobMessage {
  return {
    name: jobName(job.id),
    [job.work.kind]: job.work.spec,
    state: stateMessages[job.state],
    progress: job.progress ?? null,
    version: job.version ?? "",
    metrics: job.metrics ?? {},
    output: job.output ?? "",
    promotion: job.promotion ?? null,
    error: job.error ?? null,
    createTime: timestampOf(job.createTimeMs),
    startTime: timestampOf(job.startTimeMs),
    endTime: timestampOf(job.endTimeMs),
    priority: job.priority,
    attempts: job.attempts,
    checkpoint: checkpointMessage(job.checkpoint),
    leaderboard: leaderboardMessage(job),
    parent: job.parent === undefined ? "" : jobName(job.parent),
  };
}

function checkpointMessage(checkpoint: JobCheckpoint | undefined): JobMessage["checkpoint"] {
  if (checkpoint === undefined) return null;
  const { step, timeMs, artifact } = checkpoint;
  return { step, time: timestampOf(timeMs), artifact };
}

function leaderboardMessage({ work, trials = [] }: Job): JobMessage["leaderboard"] {
  if (work.kind !== "sweep") return [];
  return leaderboardOf(trials, isLessBetter(sweepMetricOf(work.spec))).map((trial) => ({
    job: trial.job === "" ? "" : jobName(trial.job),
    parameters: trial.parameters,
    metric: trial.scores.at(-1),
    epochs: trial.epochs,
    state: trial.state,
  }));
}

/** An event as watchers see it. */
export function jobEventMessage(event: JobEvent): JobEventMessage {
  const base = { sequence: event.sequence, time: timestampOf(event.timeMs) };
  switch (event.kind) {
    case "state":
      return { ...base, stateChanged: jobMessage(event.job) };
    case "progress":
      return { ...base, progressed: event.progress };
    case "log":
      return { ...base, logged: event.line };
  }
}

const stateMessages = {
  PENDING: "STATE_PENDING",
  RUNNING: "STATE_RUNNING",
  REGISTERING: "STATE_RUNNING",
  PAUSED: "STATE_PAUSED",
  SUCCEEDED: "STATE_SUCCEEDED",
  FAILED: "STATE_FAILED",
  CANCELLED: "STATE_CANCELLED",
} as const satisfies Record<JobState, JobMessage["state"]>;
