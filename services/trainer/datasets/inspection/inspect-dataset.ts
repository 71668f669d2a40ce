import { detectedFormat } from "../formats/detected-format.ts";
import type { DatasetFile } from "../formats/file-format.ts";
import { openDataset } from "../formats/open-dataset.ts";
import type { DatasetFacts } from "./dataset-facts.ts";
import { relationFacts } from "./relation-facts.ts";
import { tensorFacts } from "./tensor-facts.ts";

/** Reads all of a file for what is in it, by column, and its first rows. Throws as {@link openDataset} does. */
export async function inspectDataset(file: DatasetFile, previewRows: number): Promise<DatasetFacts> {
  const format = file.format ?? (await detectedFormat(file));
  const dataset = await openDataset({ ...file, format });
  try {
    const facts =
      dataset.kind === "relation" ? await relationFacts(dataset, previewRows) : await tensorFacts(dataset, previewRows);
    return { format: format.kind, ...facts };
  } finally {
    dataset.close();
  }
}
