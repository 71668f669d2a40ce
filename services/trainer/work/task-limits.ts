import type { JobLimits__Output } from "../../../lib/gen/amaas/trainer/v1/JobLimits.ts";
import { durationMsOf } from "../../../lib/timestamp.ts";
import type { TaskLimits } from "../job-process/run-task.ts";
import type { Job } from "../jobs/job.ts";
import type { WorkParts } from "./work-rules.ts";

/** What the process of a job may take: what the job says, and no more than the worker has. */
export function taskLimits(
  limits: JobLimits__Output | null | undefined,
  { compute, runTimeMsMax }: WorkParts,
  { ranMs = 0 }: Job,
): TaskLimits {
  const { memoryBytesMax = Number.POSITIVE_INFINITY } = compute;
  return {
    memoryBytesMax: Math.min(limits?.memoryBytes || Number.POSITIVE_INFINITY, memoryBytesMax),
    runTimeMsMax: limits?.runTime ? durationMsOf(limits.runTime) : runTimeMsMax,
    ranMs,
  };
}
