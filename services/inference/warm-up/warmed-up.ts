import { messageOf, ServiceError } from "../../../lib/errors.ts";
import type { Instance } from "../replicas/instance.ts";
import { type WarmUpSettings, withInitialStates } from "./initial-states.ts";
import { WarmUpOverdue, type WarmUpTime } from "./overdue.ts";
import { warmUpInputs } from "./warm-up-inputs.ts";

/**
 * The instance once it has run its warm-ups: the first runs of a session are slow, since it allocates, and some providers compile.
 *
 * Where one fails the instance is stopped, and the fault names the warm-up; its reason tells whether another attempt makes sense.
 * One that is {@link WarmUpOverdue} is lost already.
 */
export async function warmedUp(
  instance: Instance,
  settings: WarmUpSettings,
  time: WarmUpTime,
  random: () => number,
): Promise<Instance> {
  for (const [index, warmUp] of settings.warmUps.entries()) {
    try {
      for (let count = 0; count < warmUp.runCount; count++) {
        const whole = withInitialStates(warmUp, settings, instance.signature);
        await time.run(instance, warmUpInputs(instance.signature, whole, random));
      }
    } catch (cause) {
      if (cause instanceof WarmUpOverdue) {
        throw new WarmUpOverdue(`warm-up ${index + 1} failed: ${cause.message}`, cause.gone);
      }
      await instance.stop();
      const { reason, metadata } =
        cause instanceof ServiceError ? cause : { reason: "INTERNAL" as const, metadata: {} };
      throw new ServiceError(reason, `warm-up ${index + 1} failed: ${messageOf(cause)}`, { metadata, cause });
    }
  }
  return instance;
}
