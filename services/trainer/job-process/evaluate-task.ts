import type { Signature } from "../../../lib/tensor.ts";
import type { ModelPaths } from "../catalogue.ts";
import { part, rowParts } from "../datasets/columns/row-parts.ts";
import { usedColumns } from "../datasets/columns/used-columns.ts";
import { wholePlan } from "../datasets/columns/whole-plan.ts";
import { openDataset } from "../datasets/formats/open-dataset.ts";
import { sourceOf, type UnreadFile } from "../datasets/read-dataset.ts";
import type { Loss } from "../graph/losses/loss.ts";
import type { CheckedData } from "../jobs/data-spec.ts";
import { type LocalModel, openLocalModel } from "../served/local-model.ts";
import { measureRows, type RowsMeasurement } from "../served/measure-rows.ts";
import { kindsOf } from "../served/said-kinds.ts";
import { type DatasetTask, withDatasetFile } from "./dataset-file.ts";
import { filesAt } from "./model-files.ts";

/** A version to be measured on the rows of a dataset, by the files that it needs. */
export interface EvaluateTask extends DatasetTask {
  readonly version: ModelPaths;
  readonly data: CheckedData;
  /** The rows: all, or those that a training with such data has held out. */
  readonly rows: "all" | "held_out";
  readonly loss: Loss;
  readonly rowsPerCall: number;
}

/** Measures a version, as it is served, on the rows of a file. Throws as `openDataset`, `usedColumns` and `measureRows` do. */
export async function evaluate(task: EvaluateTask): Promise<RowsMeasurement> {
  const model = await openLocalModel(await filesAt(task.version), task.compute.threadCount);
  try {
    return await withDatasetFile(task, (file) => measured(task, model, file));
  } finally {
    await model.close();
  }
}

async function measured({ data, rows, loss, rowsPerCall }: EvaluateTask, model: LocalModel, file: UnreadFile) {
  const { format } = data;
  const isAll = rows === "all";
  const isNext = loss.kind === "next_token";
  const use = { tokens: isNext, classes: loss.kind === "cross_entropy" };
  const context = isNext ? contextOf(model.signature) : undefined;
  const { targetCount } = data.plan;
  const kinds = kindsOf(model.signature, isAll ? wholePlan(data.plan) : data.plan);
  const opened = await openDataset({ ...file, format, kinds, targetCount, context });
  try {
    const source = sourceOf(opened);
    const has = (wanted: string) => source.columns.some(({ name }) => name === wanted);
    const plan = isAll ? wholePlan(data.plan, has) : data.plan;
    const names = model.signature.inputs.map(({ name }) => name);
    // A training that began with such a version has taken its columns by name, too.
    const featureNames = names.every(has) ? names : undefined;
    const used = usedColumns(source.columns, plan, { ...use, featureNames });
    const parts = await rowParts(source, used, plan);
    const wanted = isAll ? part.training : part.validation;
    const counts = (row: number) => parts.of[row] === wanted;
    return await measureRows({ source, used, counts, loss, rowsPerCall }, model, model.formOf);
  } finally {
    opened.close();
  }
}

/** The tokens of a row that go in, where the model says it. */
function contextOf({ inputs }: Signature): number | undefined {
  const size = inputs[0]?.shape[1];
  return typeof size === "number" ? size : undefined;
}
