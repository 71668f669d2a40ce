import type { CheckpointPolicy__Output } from "../../../lib/gen/amaas/trainer/v1/CheckpointPolicy.ts";
import type { JobLimits__Output } from "../../../lib/gen/amaas/trainer/v1/JobLimits.ts";
import { durationMsOf } from "../../../lib/timestamp.ts";
import { specError } from "../graph/spec-error.ts";

/** Throws SPEC_INVALID for a bound that nothing could keep. */
export function checkLimits(limits: JobLimits__Output | null | undefined): void {
  const { memoryBytes = 0, runTime } = limits ?? {};
  if (memoryBytes !== 0 && !(memoryBytes >= memoryBytesMin && memoryBytes <= Number.MAX_SAFE_INTEGER)) {
    const needed = `0 for what the worker has, or ${memoryBytesMin} to ${Number.MAX_SAFE_INTEGER}`;
    throw specError("limits.memory_bytes", memoryBytes, needed);
  }
  if (runTime && !(durationMsOf(runTime) >= 1000 && durationMsOf(runTime) <= runTimeMsMax)) {
    throw specError("limits.run_time", `${durationMsOf(runTime) / 1000} s`, `1 s to ${runTimeMsMax / 1000} s`);
  }
}

/** How often the state of a training is kept. Throws SPEC_INVALID. */
export function checkpointPolicyOf(policy: CheckpointPolicy__Output | null | undefined): {
  readonly everySteps?: number | undefined;
  readonly everyMs?: number | undefined;
} {
  if (!policy) return { everyMs: everyMsByDefault };
  const { everySteps, every } = policy;
  if (!(Number.isSafeInteger(everySteps) && everySteps >= 0)) {
    throw specError("checkpoints.every_steps", everySteps, "a whole number of at least 0");
  }
  if (every && !(durationMsOf(every) >= 1000)) {
    throw specError("checkpoints.every", `${durationMsOf(every) / 1000} s`, "at least 1 s");
  }
  if (everySteps === 0 && !every) throw specError("checkpoints", "empty", "every_steps, or every, or both");
  return { everySteps: everySteps || undefined, everyMs: every ? durationMsOf(every) : undefined };
}

/** What a process takes before it has read anything. */
const memoryBytesMin = 64 * 1024 ** 2;
/** 24 days: as far as timers reach. */
const runTimeMsMax = 24 * 24 * 3600 * 1000;
const everyMsByDefault = 60_000;
