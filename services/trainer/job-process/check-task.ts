import type { TrainSpec__Output } from "../../../lib/gen/amaas/trainer/v1/TrainSpec.ts";
import type { ModelPaths } from "../catalogue.ts";
import type { Compute } from "../engine/device.ts";
import { checkedTarget } from "../jobs/checked-target.ts";
import type { PublishTarget } from "../jobs/publish-target.ts";
import { filesAt } from "./model-files.ts";

/** Trainings that all begin with the same version, by its files. */
export interface CheckTask {
  /** At least one. */
  readonly specs: readonly TrainSpec__Output[];
  readonly compute: Compute;
  readonly initial: ModelPaths;
}

/** Checks them as far as can be without their data; throws what is wrong with one. */
export async function check({ specs, compute, initial }: CheckTask): Promise<PublishTarget> {
  return checkedTarget(specs, compute, await filesAt(initial));
}
