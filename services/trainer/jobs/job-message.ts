import type { Job as JobMessage } from "../../../lib/gen/amaas/trainer/v1/Job.ts";
import type { JobEvent as JobEventMessage } from "../../../lib/gen/amaas/trainer/v1/JobEvent.ts";
import { jobName } from "../../../lib/resource-names.ts";
import { timestampOf } from "../../../lib/timestamp.ts";
import type { Job, JobEvent, JobState } from "./job.ts";

/** A job as callers see it. */
export function jobMessage(job: Job): JobMessage {
  return {
    name: jobName(job.id),
    [job.work.kind]: job.work.spec,
    state: stateMessages[job.state],
    progress: job.progress ?? null,
    version: job.version ?? "",
    metrics: job.metrics ?? {},
    error: job.error ?? null,
    createTime: timestampOf(job.createTimeMs),
    startTime: timestampOf(job.startTimeMs),
    endTime: timestampOf(job.endTimeMs),
    priority: job.priority,
    attempts: job.attempts,
    parent: job.parent === undefined ? "" : jobName(job.parent),
  };
}

/** An event as watchers see it. */
export function jobEventMessage(event: JobEvent): JobEventMessage {
  const base = { sequence: event.sequence, time: timestampOf(event.timeMs) };
  return event.kind === "state"
    ? { ...base, stateChanged: jobMessage(event.job) }
    : { ...base, progressed: event.progress };
}

const stateMessages = {
  PENDING: "STATE_PENDING",
  RUNNING: "STATE_RUNNING",
  REGISTERING: "STATE_RUNNING",
  SUCCEEDED: "STATE_SUCCEEDED",
  FAILED: "STATE_FAILED",
  CANCELLED: "STATE_CANCELLED",
} as const satisfies Record<JobState, JobMessage["state"]>;
