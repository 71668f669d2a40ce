import { ServiceError } from "../../../lib/errors.ts";
import type { TrainSpec__Output } from "../../../lib/gen/amaas/trainer/v1/TrainSpec.ts";
import type { ModelPaths, OnBehalf } from "../catalogue.ts";
import { runTask } from "../job-process/run-task.ts";
import { checkedTarget } from "../jobs/checked-target.ts";
import type { PublishTarget } from "../jobs/publish-target.ts";
import type { WorkParts } from "./work-rules.ts";

/**
 * Checks trainings, at least one, that begin with the same version or with none, as far as can be without their data; answers where the first is to
 * be registered. A version is read by a process of its own: a large one takes a second. Throws SPEC_INVALID, REQUEST_INVALID, and as
 * `InitialModels.during` and `runTask` do.
 */
export function checkedTrainings(
  specs: readonly TrainSpec__Output[],
  parts: WorkParts,
  onBehalf: OnBehalf,
): Promise<PublishTarget> {
  return parts.initialModels.during(specs[0]!, onBehalf, (initial) =>
    initial === undefined
      ? checkedTarget(specs, parts.compute, undefined)
      : checkedElsewhere(specs, initial, parts, onBehalf),
  );
}

async function checkedElsewhere(
  specs: readonly TrainSpec__Output[],
  initial: ModelPaths,
  { compute, processes, clock, checkMsMax }: WorkParts,
  { signal = new AbortController().signal }: OnBehalf,
): Promise<PublishTarget> {
  const { memoryBytesMax = Number.POSITIVE_INFINITY } = compute;
  const limits = { memoryBytesMax, runTimeMsMax: checkMsMax, ranMs: 0 };
  const task = { kind: "check", specs, compute, initial } as const;
  try {
    return await runTask(task, { processes, limits, signal, onNews: () => undefined, clock });
  } catch (failure) {
    if (!(failure instanceof ServiceError) || failure.reason !== "RUN_TIME_EXCEEDED") throw failure;
    const message = `initial_version: it takes more than ${checkMsMax} ms, AMAAS_TRAINER_CHECK_MS_MAX, to check what begins with it`;
    throw new ServiceError("RUN_TIME_EXCEEDED", message, { cause: failure });
  }
}
