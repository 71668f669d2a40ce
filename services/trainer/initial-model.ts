import type { TrainSpec__Output } from "../../lib/gen/amaas/trainer/v1/TrainSpec.ts";
import { parseVersionName } from "../../lib/resource-names.ts";
import type { Catalogue, ModelFiles, OnBehalf } from "./catalogue.ts";

/**
 * The files of the version that a job begins with, undefined where it has none. Throws REQUEST_INVALID for a name that is none of a
 * version, and as `Catalogue.modelFiles` does.
 */
export async function initialModel(
  catalogue: Catalogue,
  spec: TrainSpec__Output,
  onBehalf: OnBehalf,
): Promise<ModelFiles | undefined> {
  if (!spec.initialVersion) return undefined;
  parseVersionName(spec.initialVersion, "initial_version");
  return catalogue.modelFiles(spec.initialVersion, onBehalf);
}
