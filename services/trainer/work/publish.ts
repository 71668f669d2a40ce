import { ServiceError } from "../../../lib/errors.ts";
import { jobName } from "../../../lib/resource-names.ts";
import type { TrainResult } from "../job-process/train-task.ts";
import { type JobResult, queuedStates } from "../jobs/job.ts";
import { whileUnavailable } from "../patience.ts";
import type { Running } from "../queue/job-attempt.ts";
import { GateValues } from "./gate-values.ts";
import { promote } from "./promotion.ts";
import type { WorkParts } from "./work-rules.ts";

/**
 * Begins the part of a job in which it can no longer be cancelled or paused; throws where it has ended or is paused already. It waits where it
 * was paused and resumed unseen, and then what this attempt has done counts all the same.
 */
export async function beginPublishing(
  { store }: Pick<WorkParts, "store">,
  { job, signal }: Pick<Running, "job" | "signal">,
): Promise<void> {
  signal.throwIfAborted();
  if (await store.move(job.id, queuedStates, "REGISTERING", {}, job.attempts)) return;
  throw new ServiceError("CANCELLED", "the job has ended or is paused meanwhile");
}

/**
 * Registers the model of an artifact, and moves the alias if its gate lets it. However often it is begun again, there is one version;
 * and where the alias stays, the version is there all the same, and the job has succeeded.
 */
export async function publish(
  parts: WorkParts,
  running: Running,
  artifact: string,
  { facts, target }: Pick<TrainResult, "facts" | "target">,
): Promise<JobResult> {
  const { catalogue, bounds } = parts;
  const { job, signal, log, tell } = running;
  const onBehalf = { requestId: job.requestId, signal };
  // Tried again here rather than by another delivery, which would train again.
  const patiently = <Value>(call: () => Promise<Value>) => whileUnavailable(call, bounds, signal, log);
  const { model, alias, gate } = target;
  const created = { model, artifact, ...facts, idempotencyKey: jobName(job.id) };
  const version = await patiently(() => catalogue.register(created, onBehalf));
  const { metrics } = facts;
  if (alias === undefined) return { version, metrics };
  const candidate = { model, alias, version, gate, metrics, values: new GateValues(parts, running, target) };
  const promotion = await patiently(() => promote(catalogue, candidate, onBehalf));
  if (!promotion.moved) tell("warn", `${promotion.alias} was not moved: ${promotion.message}`);
  return { version, metrics, promotion };
}
