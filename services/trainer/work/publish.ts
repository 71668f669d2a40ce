import { jobName } from "../../../lib/resource-names.ts";
import type { TrainingOutcome } from "../engine/training-figures.ts";
import type { CheckedSpec } from "../jobs/train-spec.ts";
import { whileUnavailable } from "../patience.ts";
import type { Running } from "../queue/job-attempt.ts";
import type { VersionFacts } from "./version-facts.ts";
import type { JobResult, WorkParts } from "./work-rules.ts";

/** Registers what a training has left, and moves the alias. However often it is begun again, there is one version. */
export async function publish(
  parts: WorkParts,
  { job, signal, log }: Running,
  spec: CheckedSpec,
  { model: bytes }: Pick<TrainingOutcome, "model">,
  facts: VersionFacts,
): Promise<JobResult> {
  const { catalogue, bounds } = parts;
  const onBehalf = { requestId: job.requestId, signal };
  // Tried again here rather than by another delivery, which would train again.
  const patiently = <Value>(call: () => Promise<Value>) => whileUnavailable(call, bounds, signal, log);
  const created = { model: spec.model, bytes, ...facts, idempotencyKey: jobName(job.id) };
  const version = await patiently(() => catalogue.register(created, onBehalf));
  const { alias } = spec;
  if (alias !== undefined) await patiently(() => catalogue.moveAlias(alias, version, onBehalf));
  return { version, metrics: facts.metrics };
}
