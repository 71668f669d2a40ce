import { setImmediate } from "node:timers/promises";
import type { SweepSpec__Output } from "../../../../lib/gen/amaas/trainer/v1/SweepSpec.ts";
import type { JobResult } from "../../jobs/job.ts";
import { publishTarget } from "../../jobs/publish-target.ts";
import { resourceClassOf } from "../../jobs/resource-class.ts";
import { type CheckedSpec, checkSpec } from "../../jobs/train-spec.ts";
import type { Running } from "../../queue/job-attempt.ts";
import { checkDatasets } from "../check-datasets.ts";
import { beginPublishing, publish } from "../publish.ts";
import { factsOf } from "../version-offer.ts";
import type { WorkParts, WorkRules } from "../work-rules.ts";
import { samplesOf } from "./assignments.ts";
import { applied } from "./parameters.ts";
import { SweepLead } from "./sweep-lead.ts";
import { checkMetric, sweepPlanOf } from "./sweep-plan.ts";

/**
 * A sweep: trials as jobs of their own → the best of them → register its version → move alias. All that it has decided is in its record, so that it goes on
 * wherever an attempt has left it, and its trials go on while nobody leads it.
 */
export const sweep: WorkRules<"sweep"> = {
  check: async (spec, { catalogue, compute, initialModels }, onBehalf) => {
    const plan = sweepPlanOf(spec);
    const { datasetSha256, gate } = await initialModels.during(plan.base, onBehalf, async (initial) => {
      // Each value is checked, beside the first values of the others; what cannot be together fails its trial.
      let first: CheckedSpec | undefined;
      for (const assignment of samplesOf(plan.parameters)) {
        const sample = applied(plan.base, assignment);
        resourceClassOf({ kind: "train", spec: sample });
        const checked = checkSpec(sample, compute, initial);
        first ??= checked;
        // Many or large ones take a while, in which other calls are answered too.
        await setImmediate();
      }
      checkMetric(plan.metric, first!, plan.base);
      return first!;
    });
    await checkDatasets(catalogue, { datasetSha256, gate }, onBehalf);
  },
  run: runSweep,
};

async function runSweep(spec: SweepSpec__Output, parts: WorkParts, running: Running): Promise<JobResult> {
  const { catalogue, compute, initialModels } = parts;
  const { job, signal } = running;
  const onBehalf = { requestId: job.requestId, signal };
  const plan = sweepPlanOf(spec);
  const { offer, parameters } = await new SweepLead(parts, running, plan).bestTrial();

  await beginPublishing(parts, running);
  const facts = await factsOf(catalogue, offer, onBehalf);
  const target = await initialModels.during(plan.base, onBehalf, (initial) =>
    publishTarget(checkSpec(applied(plan.base, parameters), compute, initial)),
  );
  return publish(parts, running, offer.model, { facts, target });
}
