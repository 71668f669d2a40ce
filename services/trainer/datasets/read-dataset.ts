import type { CheckedData } from "../jobs/data-spec.ts";
import type { ColumnSource } from "./columns/column-source.ts";
import { RelationSource } from "./columns/relation-source.ts";
import type { OpenForm, RowForm } from "./columns/row-form.ts";
import { saidKinds } from "./columns/said-kinds.ts";
import { TensorSource } from "./columns/tensor-source.ts";
import type { DatasetFile } from "./formats/file-format.ts";
import { openDataset } from "./formats/open-dataset.ts";
import type { Relation } from "./formats/relation.ts";
import type { Tensors } from "./formats/tensors.ts";
import { prepareData, type ReadData, type RowPlace } from "./prepared-data.ts";

/** A file of a dataset. */
export type UnreadFile = Omit<DatasetFile, "format" | "kinds" | "targetCount" | "context">;

/**
 * Reads a file as the rows of a training. Rows of the same file, data and form are the same, bit for bit, wherever they are kept. Throws what
 * `openDataset` and `prepareData` throw.
 */
export async function readDataset(
  file: UnreadFile,
  { format, plan }: CheckedData,
  form: RowForm | OpenForm,
  place: RowPlace,
): Promise<ReadData> {
  const context = "isNext" in form && form.isNext ? form.widths.featureCount : undefined;
  const { targetCount } = plan;
  const opened = await openDataset({
    ...file,
    format,
    kinds: saidKinds(plan.columns, plan.split, form.own),
    targetCount,
    context,
  });
  try {
    return await prepareData(sourceOf(opened), plan, form, place);
  } finally {
    opened.close();
  }
}

/** A file's rows as columns. */
export function sourceOf(opened: Relation | Tensors): ColumnSource {
  return opened.kind === "relation" ? new RelationSource(opened) : new TensorSource(opened);
}
