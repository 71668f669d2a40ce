import type { DatasetFile } from "../datasets/formats/file-format.ts";
import type { DatasetFacts } from "../datasets/inspection/dataset-facts.ts";
import { inspectDataset } from "../datasets/inspection/inspect-dataset.ts";

/** A file to be looked at. */
export interface InspectTask {
  readonly file: DatasetFile;
  readonly previewRows: number;
}

export type InspectResult = DatasetFacts;

/** Looks at a file. */
export function inspect({ file, previewRows }: InspectTask): Promise<InspectResult> {
  return inspectDataset(file, previewRows);
}
