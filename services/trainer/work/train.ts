import { ServiceError } from "../../../lib/errors.ts";
import type { TrainSpec__Output } from "../../../lib/gen/amaas/trainer/v1/TrainSpec.ts";
import { readCsv } from "../datasets/csv.ts";
import { nextTokens } from "../datasets/next-tokens.ts";
import { preparedInMemory } from "../datasets/rows/prepared-in-memory.ts";
import type { MemoryEstimate } from "../engine/memory-estimate.ts";
import { runTraining } from "../engine/training-run.ts";
import { initialModel } from "../initial-model.ts";
import type { JobResult } from "../jobs/job.ts";
import { checkSpec } from "../jobs/train-spec.ts";
import { ProgressReport } from "../progress-report.ts";
import type { Running } from "../queue/job-attempt.ts";
import { publish } from "./publish.ts";
import { versionFacts } from "./version-facts.ts";
import type { WorkParts, WorkRules } from "./work-rules.ts";

/** Training: from a dataset and a description of a network to a version. It may be begun again at any point. */
export const train: WorkRules<"train"> = {
  check: async (spec, { catalogue, compute }, onBehalf) => {
    const initial = await initialModel(catalogue, spec, onBehalf);
    const { datasetSha256 } = checkSpec(spec, compute, initial);
    await catalogue.checkDataset(datasetSha256, onBehalf);
  },
  run: runTrain,
};

async function runTrain(told: TrainSpec__Output, parts: WorkParts, running: Running): Promise<JobResult> {
  const { job, signal, log } = running;
  const { catalogue, store } = parts;
  const onBehalf = { requestId: job.requestId, signal };
  const initial = await initialModel(catalogue, told, onBehalf);
  const spec = checkSpec(told, parts.compute, initial);

  const bytes = catalogue.download(spec.datasetSha256, onBehalf);
  const rows = await readCsv(bytes, spec.csv);
  const data = spec.context === undefined ? rows : nextTokens(rows, spec.context);
  const prepared = preparedInMemory(data, spec.plan.validationShare, spec.plan.seed);
  log.info({ rows: data.rowCount, features: data.featureCount }, "dataset loaded");

  const report = new ProgressReport((progress) => store.progress(job, progress), log);
  const onProgress = (progress: Parameters<typeof report.add>[0]) => report.add(progress, spec.plan.epochCount);
  const onStart = (memory: MemoryEstimate) => log.info({ memory }, "training begins");
  const outcome = await runTraining(spec.plan, prepared, { onStart, onProgress, signal });
  await report.finished();

  signal.throwIfAborted();
  if (!(await store.move(job.id, ["RUNNING", "REGISTERING"], "REGISTERING", {}, job.attempts))) {
    throw new ServiceError("CANCELLED", "the job has ended meanwhile");
  }
  return publish(parts, running, spec, outcome, versionFacts(told, job, spec, outcome, prepared.classNames));
}
