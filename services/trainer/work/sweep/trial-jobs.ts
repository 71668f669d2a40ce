import type { Job, JobState, Trial } from "../../jobs/job.ts";
import { jobStates } from "../../jobs/job.ts";
import type { JobQueue } from "../../queue/job-queue.ts";
import type { JobStore } from "../../queue/job-store.ts";
import { applied } from "./parameters.ts";
import type { SweepPlan } from "./sweep-plan.ts";

/** Where the jobs of trials are kept and queued. */
export interface TrialJobsParts {
  readonly store: JobStore;
  readonly queue: JobQueue;
}

/**
 * The job of a trial at its next rung, made and queued if it is not there yet: the same sweep, trial and rung have one job. It goes on from where
 * that of the rung before has ended. QUEUE_FULL where there is no room for another job.
 */
export async function trialJob(
  { store, queue }: TrialJobsParts,
  sweep: Job,
  { base, assignments, strategy }: SweepPlan,
  index: number,
  { scores, checkpoint }: Pick<Trial, "scores" | "checkpoint">,
): Promise<Job> {
  const rung = scores.length;
  const { rungs } = strategy;
  const isHalving = rungs.length > 1;
  const spec = applied({ ...base, targetAlias: "", gate: null }, assignments[index]!);
  const { priority } = await store.get(sweep.id);
  const job = await store.create(
    {
      work: { kind: "train", spec: isHalving ? { ...spec, epochs: rungs[rung]! } : spec },
      priority,
      requestId: sweep.requestId,
      parent: sweep.id,
      ...(isHalving && { scheduledEpochs: rungs.at(-1)! }),
      ...(checkpoint && { checkpoint }),
    },
    `${sweep.id}/${index}/${rung}`,
  );
  if (jobStates[job.state].queued) await queue.add(job);
  return job;
}

/** Brings the jobs of a sweep's trials to where the sweep is, as far as they have not ended: cancelled, paused, or queued again. */
export async function steerTrials(
  parts: TrialJobsParts,
  sweep: Pick<Job, "state" | "trials" | "priority">,
): Promise<void> {
  await Promise.all(runningJobs(sweep.trials).map((id) => steer(parts, id, sweep)));
}

/** Gives the jobs of a sweep's trials its priority. */
export async function reorderTrials({ store, queue }: TrialJobsParts, { trials, priority }: Job): Promise<void> {
  for (const id of runningJobs(trials)) {
    if (await store.setPriority(id, priority)) await queue.reorder(await store.get(id));
  }
}

async function steer({ store, queue }: TrialJobsParts, id: string, { state }: Pick<Job, "state">): Promise<void> {
  const { from, to } = steps[state] ?? {};
  if (from === undefined || to === undefined || (await store.find(id)) === undefined) return;
  await store.move(id, from, to);
  const job = await store.get(id);
  if (jobStates[job.state].queued) await queue.add(job);
  else await queue.remove(job);
}

interface Step {
  readonly from: readonly JobState[];
  readonly to: JobState;
}

const resumed: Step = { from: ["PAUSED"], to: "PENDING" };
const cancelled: Step = { from: ["PENDING", "RUNNING", "PAUSED"], to: "CANCELLED" };

/** What becomes of a trial's job in each state of its sweep. */
const steps: Readonly<Partial<Record<JobState, Step>>> = {
  PENDING: resumed,
  RUNNING: resumed,
  PAUSED: { from: ["PENDING", "RUNNING"], to: "PAUSED" },
  CANCELLED: cancelled,
  FAILED: cancelled,
};

function runningJobs(trials: readonly Trial[] = []): readonly string[] {
  return trials.filter(({ state }) => state === "running").map(({ job }) => job);
}
