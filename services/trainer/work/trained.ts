import { join } from "node:path";
import { ServiceError } from "../../../lib/errors.ts";
import type { TrainSpec__Output } from "../../../lib/gen/amaas/trainer/v1/TrainSpec.ts";
import { parseArtifactName } from "../../../lib/resource-names.ts";
import { CheckpointKeeper } from "../checkpoint-keeper.ts";
import { runTask } from "../job-process/run-task.ts";
import type { TaskNews } from "../job-process/task-host.ts";
import type { TrainResult } from "../job-process/train-task.ts";
import type { Job, JobCheckpoint } from "../jobs/job.ts";
import { checkpointPolicyOf } from "../jobs/job-limits.ts";
import { ProgressReport } from "../progress-report.ts";
import type { Running } from "../queue/job-attempt.ts";
import { taskLimits } from "./task-limits.ts";
import type { WorkParts } from "./work-rules.ts";

/** What a training has left: its files lie in the folder, its last checkpoint in the registry where others may go on from it. */
export interface Trained extends TrainResult {
  readonly checkpoint?: JobCheckpoint | undefined;
}

/**
 * The network that a job trains, in a process of its own, from the beginning or from its last checkpoint. The files lie in the folder. Throws
 * what `runTask` throws, once the last checkpoint that makes sense is kept.
 */
export async function trained(
  spec: TrainSpec__Output,
  parts: WorkParts,
  running: Running,
  folder: string,
): Promise<Trained> {
  const { catalogue, store, compute, processes, clock } = parts;
  const { job, signal, log, tell } = running;
  const onBehalf = { requestId: job.requestId, signal };
  const dataset = join(folder, "dataset");
  await parts.datasets.place(parseArtifactName(spec.dataset, "dataset"), dataset, onBehalf);
  const initial = spec.initialVersion
    ? await catalogue.saveModelFiles(spec.initialVersion, "initial_version", folder, onBehalf)
    : undefined;
  const keeper = new CheckpointKeeper(parts, running);
  const resumeFrom = await keeper.restored(folder, signal);

  const limits = taskLimits(spec.limits, parts, running);
  const report = new ProgressReport(parts.progress, (progress) => store.progress(job, progress), clock, log);
  const heard = {
    started: ({ memory }) => log.info({ memory }, "training begins"),
    progress: ({ progress }) => report.add(progress, spec.epochs),
    checkpoint: ({ checkpoint }) => keeper.add(checkpoint),
    part: () => undefined,
    told: ({ level, text }) => tell(level, text),
  } satisfies { [Kind in TaskNews["kind"]]: (news: Extract<TaskNews, { kind: Kind }>) => void };
  const onNews = (news: TaskNews) => (heard[news.kind] as (news: TaskNews) => void)(news);
  const task = {
    kind: "train",
    ...{
      spec,
      job: { id: job.id, scheduledEpochs: job.scheduledEpochs },
      ranMs: running.ranMs(),
      dataset,
      folder,
      expandedBytesMax: parts.expandedBytesMax,
      initial,
      resumeFrom,
    },
    compute: { ...compute, memoryBytesMax: limits.memoryBytesMax },
    checkpoints: { folder, ...checkpointPolicyOf(spec.checkpoints), last: isContinued(spec, job) },
  } as const;
  try {
    const result = await runTask(task, { processes, limits, signal, onNews, clock });
    await report.finished();
    await (isContinued(spec, job) ? keeper.settled() : keeper.stop());
    return isContinued(spec, job) ? { ...result, checkpoint: keeper.kept } : result;
  } catch (failure) {
    await (isFollowed(failure) ? keeper.settled() : keeper.stop());
    throw failure;
  }
}

/** Whether other jobs may go on with more epochs. */
function isContinued({ epochs }: TrainSpec__Output, { scheduledEpochs = epochs }: Job): boolean {
  return epochs < scheduledEpochs;
}

/** Whether another attempt goes on after this one has ended so. */
function isFollowed(failure: unknown): boolean {
  if (!(failure instanceof ServiceError)) return false;
  return failure.status === "UNAVAILABLE" || failure.reason === "JOB_PAUSED";
}
