import { messageOf, ServiceError } from "../../../lib/errors.ts";
import type { TrainerServiceHandlers } from "../../../lib/gen/amaas/trainer/v1/TrainerService.ts";
import { pageKeyOf, pageSizeOf, pageTokenOf } from "../../../lib/paging.ts";
import { jobIdPattern, jobName, parseJobName } from "../../../lib/resource-names.ts";
import type { Handlers } from "../../../lib/rpc/handlers.ts";
import type { WatchConfig } from "../config.ts";
import type { JobHolds } from "../job-holds.ts";
import { jobStates } from "../jobs/job.ts";
import { jobMessage } from "../jobs/job-message.ts";
import { priorityOf } from "../jobs/priority.ts";
import { needsOf, resourceClassOf } from "../jobs/resource-class.ts";
import { workOf } from "../jobs/work.ts";
import type { JobChanges } from "../queue/job-changes.ts";
import type { JobQueue } from "../queue/job-queue.ts";
import type { JobStore } from "../queue/job-store.ts";
import type { WorkParts } from "../work/work-rules.ts";
import { checkWork } from "../work/works.ts";
import { controlHandlers } from "./control.ts";
import { JobFeeds } from "./job-feed.ts";
import { watchJob } from "./watch-job.ts";

/** What the calls about jobs need. */
export interface JobHandlerParts {
  readonly store: JobStore;
  readonly queue: JobQueue;
  readonly changes: JobChanges;
  readonly holds: JobHolds;
  readonly work: WorkParts;
  readonly watching: WatchConfig;
}

/** The calls of `amaas.trainer.v1.TrainerService`. */
export function jobHandlers(parts: JobHandlerParts): Handlers<TrainerServiceHandlers> {
  const { store, queue, holds } = parts;
  const feeds = new JobFeeds({ ...parts, bounds: parts.watching, clock: parts.work.clock });
  return {
    CreateJob: async ({ job, requestId }, call) => {
      if (requestId.length > requestIdLengthMax) throw requestIdTooLong(requestId.length);
      const work = workOf(job);
      const priority = priorityOf(job!.priority, "job.priority");
      const needs = needsOf(resourceClassOf(work));
      // The same request again has its job, also where what the job reads is gone meanwhile.
      const known = await store.findRequested(requestId);
      if (known === undefined) await checkWork(work, parts.work, call);
      const created = known ?? (await store.create({ work, priority, requestId: call.requestId }, requestId));
      // What is stored are the same JSON texts.
      if (JSON.stringify(created.work) !== JSON.stringify(work)) throw otherJob(requestId, created.id);
      if (!jobStates[created.state].queued) return jobMessage(created);
      // Stored is accepted: a job that cannot hold its dataset now does so when it begins, and one that cannot be queued now is queued by the next
      // recovery.
      const trying = (step: Promise<unknown>, otherwise: string) =>
        step.catch((failure) => call.log.warn({ error: messageOf(failure) }, otherwise));
      await trying(holds.hold(created, call.signal), "held later");
      const line = { level: "info", text: `waits for a worker that has ${needs}` } as const;
      if (needs !== "") await trying(store.tell(created, line), "watchers were not told");
      await trying(queue.add(created), "queued later");
      return jobMessage(created);
    },

    GetJob: async ({ name }) => jobMessage(await store.get(parseJobName(name))),

    ListJobs: async ({ pageSize, pageToken }) => {
      const size = pageSizeOf(pageSize);
      const found = await store.list(size + 1, pageKeyOf(pageToken, jobIdPattern));
      const page = found.slice(0, size);
      const nextPageToken = found.length > size ? pageTokenOf(page[size - 1].id) : "";
      return { jobs: page.map(jobMessage), nextPageToken };
    },

    WatchJob: ({ name, afterSequence }, call) => {
      if (!(Number.isSafeInteger(afterSequence) && afterSequence >= 0)) throw invalidSequence(afterSequence);
      return watchJob(feeds, parseJobName(name), afterSequence, call);
    },

    ...controlHandlers(parts),
  };
}

const requestIdLengthMax = 128;

function requestIdTooLong(length: number): ServiceError {
  return new ServiceError(
    "REQUEST_INVALID",
    `request_id has ${length} characters; needed: at most ${requestIdLengthMax}`,
    {
      metadata: { field: "request_id" },
    },
  );
}

function otherJob(requestId: string, id: string): ServiceError {
  const message = `request_id ${JSON.stringify(requestId)} has made ${jobName(id)} of another job; needed: the same job, or another request_id`;
  return new ServiceError("REQUEST_INVALID", message, { metadata: { field: "request_id" } });
}

function invalidSequence(seen: number): ServiceError {
  return new ServiceError("REQUEST_INVALID", `after_sequence is ${seen}; needed: a whole number from 0`, {
    metadata: { field: "after_sequence" },
  });
}
