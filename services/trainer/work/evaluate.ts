import { join } from "node:path";
import type { EvaluateSpec__Output } from "../../../lib/gen/amaas/trainer/v1/EvaluateSpec.ts";
import { runTask } from "../job-process/run-task.ts";
import { checkEvaluateSpec } from "../jobs/evaluate-spec.ts";
import type { JobResult } from "../jobs/job.ts";
import type { Running } from "../queue/job-attempt.ts";
import { taskLimits } from "./task-limits.ts";
import type { WorkParts, WorkRules } from "./work-rules.ts";

/** Evaluation: from a version and a dataset to metrics. It may be begun again at any point. */
export const evaluate: WorkRules<"evaluate"> = {
  check: async (spec, { catalogue }, onBehalf) => {
    const { datasetSha256 } = checkEvaluateSpec(spec);
    await catalogue.checkServable(spec.version, "version", onBehalf);
    await catalogue.checkDataset(datasetSha256, onBehalf);
  },
  run: runEvaluate,
};

function runEvaluate(spec: EvaluateSpec__Output, parts: WorkParts, running: Running): Promise<JobResult> {
  const { catalogue, datasets, compute, processes, expandedBytesMax, clock } = parts;
  const { job, signal, tell } = running;
  const { datasetSha256, data, loss, rowsPerCall } = checkEvaluateSpec(spec);
  return parts.folders.during(job.id, async (folder) => {
    const onBehalf = { requestId: job.requestId, signal };
    const dataset = join(folder, "dataset");
    await datasets.place(datasetSha256, dataset, onBehalf);
    const version = await catalogue.saveModelFiles(spec.version, "version", folder, onBehalf);
    const limits = taskLimits(spec.limits, parts, running);
    const task = {
      kind: "evaluate",
      compute: { ...compute, memoryBytesMax: limits.memoryBytesMax },
      ...{ dataset, folder, expandedBytesMax, version, data, loss, rowsPerCall },
      rows: "all",
    } as const;
    const { values, rowCount } = await runTask(task, { processes, limits, signal, clock, onNews: () => undefined });
    tell("info", `measured on ${rowCount} rows`);
    return { metrics: { ...values, rows: rowCount } };
  });
}
