import type { SweepSpec__Output } from "../../../../lib/gen/amaas/trainer/v1/SweepSpec.ts";
import type { JobResult } from "../../jobs/job.ts";
import { resourceClassOf } from "../../jobs/resource-class.ts";
import type { Running } from "../../queue/job-attempt.ts";
import { checkDatasets } from "../check-datasets.ts";
import { checkedTrainings } from "../checked-trainings.ts";
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
  check: async (spec, parts, onBehalf) => {
    const plan = sweepPlanOf(spec);
    // Each value is checked, beside the first values of the others; what cannot be together fails its trial.
    const samples = samplesOf(plan.parameters).map((assignment) => applied(plan.base, assignment));
    for (const sample of samples) resourceClassOf({ kind: "train", spec: sample });
    const target = await checkedTrainings(samples, parts, onBehalf);
    checkMetric(plan.metric, target, plan.base);
    await checkDatasets(parts.catalogue, target, onBehalf);
  },
  run: runSweep,
};

async function runSweep(spec: SweepSpec__Output, parts: WorkParts, running: Running): Promise<JobResult> {
  const { catalogue } = parts;
  const { job, signal } = running;
  const onBehalf = { requestId: job.requestId, signal };
  const plan = sweepPlanOf(spec);
  const { offer, parameters } = await new SweepLead(parts, running, plan).bestTrial();

  await beginPublishing(parts, running);
  const facts = await factsOf(catalogue, offer, onBehalf);
  const target = await checkedTrainings([applied(plan.base, parameters)], parts, onBehalf);
  return publish(parts, running, offer.model, { facts, target });
}
