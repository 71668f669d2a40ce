import type { CheckedData } from "../jobs/data-spec.ts";
import { RelationSource } from "./columns/relation-source.ts";
import type { RowForm } from "./columns/row-form.ts";
import { TensorSource } from "./columns/tensor-source.ts";
import type { DatasetFile } from "./formats/file-format.ts";
import { openDataset } from "./formats/open-dataset.ts";
import { prepareData, type RowPlace } from "./prepared-data.ts";
import type { PreparedData } from "./row-source.ts";

/** A file of a dataset. */
export type UnreadFile = Omit<DatasetFile, "format" | "kinds" | "targetCount" | "context">;

/**
 * Reads a file as the rows of a training. Rows of the same file, data and form are the same, bit for bit, wherever they are kept. Throws what
 * `openDataset` and `prepareData` throw.
 */
export async function readDataset(
  file: UnreadFile,
  { format = plainCsv, plan }: CheckedData,
  form: RowForm,
  place: RowPlace,
): Promise<PreparedData> {
  const context = form.isNext ? form.widths.featureCount : undefined;
  const opened = await openDataset({ ...file, format, targetCount: plan.targetCount, context });
  try {
    const source = opened.kind === "relation" ? new RelationSource(opened) : new TensorSource(opened);
    return await prepareData(source, plan, form, place);
  } finally {
    opened.close();
  }
}

const plainCsv = { kind: "csv", header: false, delimiter: ",", missingText: "" } as const;
