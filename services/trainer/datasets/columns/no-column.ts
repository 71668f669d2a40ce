import { nearestNames } from "../../../../lib/nearest-names.ts";
import { datasetError } from "../formats/dataset-error.ts";

/** Why a model with an input for each of its columns cannot be given a file that lacks one; `names` are those of the file. */
export function noColumn(input: string, names: readonly string[]): Error {
  const [nearest] = nearestNames(input, names, 1);
  const hint = nearest === undefined ? "" : `; the nearest column is ${JSON.stringify(nearest)}`;
  return datasetError(
    `no column has the name of the model's input ${JSON.stringify(input)}${hint}; needed: a column for each input`,
  );
}
