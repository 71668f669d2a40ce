import { parseArtifactName } from "../../../lib/resource-names.ts";
import type { Catalogue, OnBehalf } from "../catalogue.ts";
import type { CheckedSpec } from "../jobs/train-spec.ts";

/** Throws as {@link Catalogue.checkDataset} does for the dataset of a training and for that of its gate. */
export async function checkDatasets(
  catalogue: Pick<Catalogue, "checkDataset">,
  { datasetSha256, gate }: Pick<CheckedSpec, "datasetSha256" | "gate">,
  onBehalf: OnBehalf,
): Promise<void> {
  await catalogue.checkDataset(datasetSha256, onBehalf);
  if (gate?.dataset === undefined) return;
  await catalogue.checkDataset(parseArtifactName(gate.dataset, "gate.dataset"), onBehalf);
}
