import { join } from "node:path";
import { ServiceError } from "../../../lib/errors.ts";
import type { PredictSpec__Output } from "../../../lib/gen/amaas/trainer/v1/PredictSpec.ts";
import { jobName, parseVersionName } from "../../../lib/resource-names.ts";
import type { OnBehalf } from "../catalogue.ts";
import { specError } from "../graph/spec-error.ts";
import { runTask } from "../job-process/run-task.ts";
import type { TaskNews } from "../job-process/task-host.ts";
import type { JobResult } from "../jobs/job.ts";
import { type CheckedPrediction, checkPredictSpec } from "../jobs/predict-spec.ts";
import { whileUnavailable } from "../patience.ts";
import type { Running } from "../queue/job-attempt.ts";
import { PredictedParts } from "./predicted-parts.ts";
import { taskLimits } from "./task-limits.ts";
import type { WorkParts, WorkRules } from "./work-rules.ts";

/** Batch inference: from a dataset to a file of predictions, by the nodes. It goes on behind the last part that is kept. */
export const predict: WorkRules<"predict"> = {
  check: async (spec, { catalogue }, onBehalf) => {
    const { target, datasetSha256 } = checkPredictSpec(spec);
    await versionOf(target, catalogue, onBehalf);
    await catalogue.checkDataset(datasetSha256, onBehalf);
  },
  run: runPredict,
};

function runPredict(spec: PredictSpec__Output, parts: WorkParts, running: Running): Promise<JobResult> {
  const { catalogue, datasets, bounds, nodes, compute, processes, expandedBytesMax, holdMs, clock } = parts;
  const { job, signal, log, tell } = running;
  const { target, datasetSha256, ...checked } = checkPredictSpec(spec);
  const onBehalf = { requestId: job.requestId, signal };
  return parts.folders.during(job.id, async (folder) => {
    // Of an alias that moves meanwhile, all rows are answered by the version of the first attempt.
    const version = job.predicted?.version ?? (await versionOf(target, catalogue, onBehalf));
    const kept = new PredictedParts(parts, running, version);
    const done = await kept.restored(folder);
    const dataset = join(folder, "dataset");
    await datasets.place(datasetSha256, dataset, onBehalf);
    const limits = taskLimits(spec.limits, parts, running);
    const { attemptsMax, retryDelayMs } = bounds;
    const task = {
      kind: "predict",
      compute: { ...compute, memoryBytesMax: limits.memoryBytesMax },
      address: nodes.address,
      target: parseVersionName(version),
      calls: { requestId: job.requestId, timeoutMs: nodes.timeoutMs, attemptsMax, retryDelayMs },
      ...{ dataset, folder, expandedBytesMax, done, ...checked },
    } as const;
    const onNews = (news: TaskNews) => {
      if (news.kind === "part") kept.add(news.part);
    };
    try {
      const { path, rowCount } = await runTask(task, { processes, limits, signal, clock, onNews });
      const patiently = <Value>(call: () => Promise<Value>) => whileUnavailable(call, bounds, signal, log);
      const output = await patiently(() => catalogue.upload(path, onBehalf));
      await patiently(() => catalogue.hold(output, jobName(job.id), holdMs, onBehalf));
      tell("info", `predicted ${rowCount} rows by ${version}`);
      await kept.settled();
      await kept.release();
      return { version, output, metrics: { rows: rowCount } };
    } finally {
      await kept.settled();
    }
  });
}

/** The version that a target means now. Throws SPEC_INVALID for an alias that leads to several or none. */
async function versionOf(
  target: CheckedPrediction["target"],
  catalogue: WorkParts["catalogue"],
  onBehalf: OnBehalf,
): Promise<string> {
  if ("version" in target) {
    await catalogue.checkServable(target.version, "target", onBehalf);
    return target.version;
  }
  const { versions } = await catalogue.resolveAlias(target.alias, onBehalf);
  const [version] = versions;
  if (version === undefined) throw new ServiceError("ALIAS_NOT_FOUND", `target: there is no ${target.alias}`);
  if (versions.length === 1) return version;
  throw specError(
    "target",
    `${target.alias}, which leads to ${versions.join(" and ")}`,
    "one version, or an alias of one",
  );
}
