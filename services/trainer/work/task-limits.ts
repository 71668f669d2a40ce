import type { JobLimits__Output } from "../../../lib/gen/amaas/trainer/v1/JobLimits.ts";
import { durationMsOf } from "../../../lib/timestamp.ts";
import type { TaskLimits } from "../job-process/run-task.ts";
import type { Running } from "../queue/job-attempt.ts";
import type { WorkParts } from "./work-rules.ts";

/**
 * What the process of a job may take: what the job says, and no more than the worker has. The time of a sweep is that of its trials, which have
 * limits of their own, so that of its gate is counted by itself.
 */
export function taskLimits(
  limits: JobLimits__Output | null | undefined,
  { compute, runTimeMsMax }: WorkParts,
  { job, ranMs }: Pick<Running, "job" | "ranMs">,
): TaskLimits {
  const { memoryBytesMax = Number.POSITIVE_INFINITY } = compute;
  return {
    memoryBytesMax: Math.min(limits?.memoryBytes || Number.POSITIVE_INFINITY, memoryBytesMax),
    runTimeMsMax: limits?.runTime ? durationMsOf(limits.runTime) : runTimeMsMax,
    ranMs: job.work.kind === "sweep" ? 0 : ranMs(),
  };
}
