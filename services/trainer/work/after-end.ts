import { messageOf } from "../../../lib/errors.ts";
import type { Log } from "../../../lib/log.ts";
import { jobName } from "../../../lib/resource-names.ts";
import type { JobHolds } from "../job-holds.ts";
import type { Job } from "../jobs/job.ts";
import { steerTrials, type TrialJobsParts } from "./sweep/trial-jobs.ts";

/** What follows from the end of a job, in the background: it holds nothing any more, and no trial goes on without its sweep. */
export function afterEnd(
  { holds, log, ...jobs }: TrialJobsParts & { readonly holds: Pick<JobHolds, "release">; readonly log: Log },
  job: Job,
): void {
  holds.release(job, log);
  steerTrials(jobs, job).catch((failure) =>
    log.warn({ error: messageOf(failure), sweep: jobName(job.id) }, "trials go on without their sweep"),
  );
}
