import { ServiceError } from "../../../lib/errors.ts";
import type { TrainerServiceHandlers } from "../../../lib/gen/amaas/trainer/v1/TrainerService.ts";
import { jobName, parseJobName } from "../../../lib/resource-names.ts";
import type { Handlers } from "../../../lib/rpc/handlers.ts";
import type { JobHolds } from "../job-holds.ts";
import { type Job, jobStates } from "../jobs/job.ts";
import { jobMessage } from "../jobs/job-message.ts";
import { priorityOf } from "../jobs/priority.ts";
import type { JobQueue } from "../queue/job-queue.ts";
import type { JobStore } from "../queue/job-store.ts";
import { reorderTrials, steerTrials } from "../work/sweep/trial-jobs.ts";

/** What the calls need that steer jobs. */
export interface ControlParts {
  readonly store: JobStore;
  readonly queue: JobQueue;
  readonly holds: JobHolds;
}

/** The calls that steer jobs which have not ended, a sweep with its trials. Each may be made again, and then changes nothing. */
export function controlHandlers(
  parts: ControlParts,
): Pick<Handlers<TrainerServiceHandlers>, "CancelJob" | "PauseJob" | "ResumeJob" | "UpdateJobPriority"> {
  const { store, queue, holds } = parts;
  return {
    CancelJob: async ({ name }, call) => {
      const id = parseJobName(name);
      const cancelled = await store.move(id, ["PENDING", "RUNNING", "PAUSED"], "CANCELLED");
      const job = await store.get(id);
      if (!cancelled && job.state !== "CANCELLED") throw tooLate(job, "waits, trains or is paused");
      await queue.remove(job);
      await steerTrials(parts, job);
      holds.release(job, call.log);
      return jobMessage(job);
    },

    PauseJob: async ({ name }) => {
      const id = parseJobName(name);
      const paused = await store.move(id, ["PENDING", "RUNNING"], "PAUSED", { attemptsInVain: 0 });
      const job = await store.get(id);
      if (!paused && job.state !== "PAUSED") throw tooLate(job, "waits or trains");
      await queue.remove(job);
      await steerTrials(parts, job);
      return jobMessage(job);
    },

    ResumeJob: async ({ name }) => {
      const id = parseJobName(name);
      await store.move(id, ["PAUSED"], "PENDING");
      const job = await store.get(id);
      if (!jobStates[job.state].queued) throw tooLate(job, "is paused");
      await steerTrials(parts, job);
      await queue.add(job);
      return jobMessage(job);
    },

    UpdateJobPriority: async ({ name, priority }) => {
      const id = parseJobName(name);
      const changed = await store.setPriority(id, priorityOf(priority, "priority"));
      const job = await store.get(id);
      if (!changed) throw tooLate(job, "has not ended");
      await queue.reorder(job);
      await reorderTrials(parts, job);
      return jobMessage(job);
    },
  };
}

function tooLate({ id, state }: Job, needed: string): ServiceError {
  const seen = state === "REGISTERING" ? "is registering its result" : `is ${state}`;
  return new ServiceError("JOB_ENDED", `${jobName(id)} ${seen}; needed: a job that ${needed}`);
}
