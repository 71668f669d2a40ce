import { setImmediate } from "node:timers/promises";
import type { TrainSpec__Output } from "../../../lib/gen/amaas/trainer/v1/TrainSpec.ts";
import type { Compute } from "../engine/device.ts";
import type { InitialModel } from "./network-fields.ts";
import { type PublishTarget, publishTarget } from "./publish-target.ts";
import { checkSpec } from "./train-spec.ts";

/** Checks all of some trainings, at least one; answers where the first is to be registered. Throws as {@link checkSpec}. */
export async function checkedTarget(
  specs: readonly TrainSpec__Output[],
  compute: Compute,
  initial: InitialModel | undefined,
): Promise<PublishTarget> {
  let first: PublishTarget | undefined;
  for (const spec of specs) {
    const target = publishTarget(checkSpec(spec, compute, initial));
    first ??= target;
    // Many take a while, in which others are answered too.
    await setImmediate();
  }
  return first!;
}
