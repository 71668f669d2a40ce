import type { TrainSpec__Output } from "../../../lib/gen/amaas/trainer/v1/TrainSpec.ts";
import type { JobResult } from "../jobs/job.ts";
import { whileUnavailable } from "../patience.ts";
import type { Running } from "../queue/job-attempt.ts";
import { checkDatasets } from "./check-datasets.ts";
import { checkedTrainings } from "./checked-trainings.ts";
import { beginPublishing, publish } from "./publish.ts";
import { trained } from "./trained.ts";
import { offerVersion } from "./version-offer.ts";
import type { WorkParts, WorkRules } from "./work-rules.ts";

/** Training: from a dataset and a description of a network to a version. It may be begun again at any point. */
export const train: WorkRules<"train"> = {
  check: async (spec, parts, onBehalf) => {
    const target = await checkedTrainings([spec], parts, onBehalf);
    await checkDatasets(parts.catalogue, target, onBehalf);
  },
  run: runTrain,
};

function runTrain(spec: TrainSpec__Output, parts: WorkParts, running: Running): Promise<JobResult> {
  const { job, signal, log } = running;
  return parts.folders.during(job.id, async (folder) => {
    const result = await trained(spec, parts, running, folder);
    await beginPublishing(parts, running);
    if (job.parent !== undefined) return offerVersion(parts, running, folder, result);
    // Tried again here rather than by another delivery, which would train again.
    const upload = () => parts.catalogue.upload(result.modelPath, { requestId: job.requestId, signal });
    const artifact = await whileUnavailable(upload, parts.bounds, signal, log);
    return publish(parts, running, artifact, result);
  });
}
