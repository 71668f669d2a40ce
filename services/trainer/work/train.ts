import { ServiceError } from "../../../lib/errors.ts";
import type { TrainSpec__Output } from "../../../lib/gen/amaas/trainer/v1/TrainSpec.ts";
import { initialModel } from "../initial-model.ts";
import type { JobResult } from "../jobs/job.ts";
import { checkSpec } from "../jobs/train-spec.ts";
import type { Running } from "../queue/job-attempt.ts";
import { publish } from "./publish.ts";
import { trained } from "./trained.ts";
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

function runTrain(spec: TrainSpec__Output, parts: WorkParts, running: Running): Promise<JobResult> {
  const { job, signal } = running;
  return parts.folders.during(job.id, async (folder) => {
    const result = await trained(spec, parts, running, folder);
    signal.throwIfAborted();
    if (!(await parts.store.move(job.id, ["RUNNING", "REGISTERING"], "REGISTERING", {}, job.attempts))) {
      throw new ServiceError("CANCELLED", "the job has ended meanwhile");
    }
    return publish(parts, running, result);
  });
}
