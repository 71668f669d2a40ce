import { join } from "node:path";
import type { GRPCInferenceServiceDefinition } from "../../../lib/gen/inference/GRPCInferenceService.ts";
import { RpcClient } from "../../../lib/rpc/client.ts";
import { usedColumns } from "../datasets/columns/used-columns.ts";
import { openDataset } from "../datasets/formats/open-dataset.ts";
import { PredictionFiles, type PredictionFormat } from "../datasets/predictions/prediction-files.ts";
import { sourceOf, type UnreadFile } from "../datasets/read-dataset.ts";
import type { CheckedData } from "../jobs/data-spec.ts";
import type { Answering } from "../served/answering.ts";
import { predictedParts } from "../served/predict-rows.ts";
import { checkCopied, withOthersIgnored } from "../served/predicted-columns.ts";
import { openRemoteModel, type RemoteCalls } from "../served/remote-model.ts";
import { kindsOf } from "../served/said-kinds.ts";
import { type DatasetTask, withDatasetFile } from "./dataset-file.ts";
import type { TaskHost } from "./task-host.ts";

/** Rows to be answered by nodes. */
export interface PredictTask extends DatasetTask {
  /** Where the Open Inference Protocol is answered. */
  readonly address: string;
  readonly target: { readonly model: string; readonly version: number };
  readonly calls: Omit<RemoteCalls, "signal">;
  readonly data: CheckedData;
  readonly rowsPerCall: number;
  readonly parallelCalls: number;
  readonly format: PredictionFormat;
  /** The files of parts that earlier attempts have finished, by their indices. */
  readonly done: ReadonlyMap<number, string>;
}

/** The predictions for all rows. */
export interface PredictResult {
  /** The file, in the task's folder. */
  readonly path: string;
  readonly rowCount: number;
}

/** Answers all rows of a file, part by part, and joins the parts. What it throws is the job's failure. */
export async function predict(task: PredictTask, host: TaskHost): Promise<PredictResult> {
  const client = new RpcClient<GRPCInferenceServiceDefinition>("inference.GRPCInferenceService", task.address);
  try {
    const model = await openRemoteModel(client, task.target, { ...task.calls, signal: host.pause });
    return await withDatasetFile(task, (file) => predicted(task, model, file, host));
  } finally {
    client.close();
  }
}

async function predicted(
  task: PredictTask,
  model: Answering,
  file: UnreadFile,
  host: TaskHost,
): Promise<PredictResult> {
  const { data, rowsPerCall, parallelCalls, done, folder, format } = task;
  const opened = await openDataset({ ...file, format: data.format, kinds: kindsOf(model.signature, data.plan) });
  const files = await PredictionFiles.open(file.memoryBytesMax);
  try {
    const source = sourceOf(opened);
    const columns = withOthersIgnored(data.plan.columns, source.columns);
    const { features } = usedColumns(source.columns, { ...data.plan, columns }, { tokens: false, classes: false });
    const copied = source.columns.filter(({ name }) => !features.some((feature) => feature.name === name));
    checkCopied(copied);
    const partRows = partRowsOf(source.rowCount);
    const parts = new Map(done);
    const rows = {
      source,
      features,
      copied,
      rowsPerCall,
      parallelCalls,
      partRows,
      isDone: (part: number) => done.has(part),
    };
    for await (const { index, columns } of predictedParts(rows, model)) {
      const path = join(folder, `part-${index}.parquet`);
      await files.write(path, columns);
      parts.set(index, path);
      const counts = [...parts.keys()].map((part) => Math.min(partRows, source.rowCount - part * partRows));
      const doneRows = counts.reduce((sum, count) => sum + count, 0);
      host.say({ kind: "part", part: { index, path, doneRows, allRows: source.rowCount } });
      host.pause.throwIfAborted();
    }
    const path = join(folder, `predictions.${format}`);
    const inOrder = [...parts].sort(([a], [b]) => a - b).map(([, part]) => part);
    await files.join(inOrder, path, format);
    return { path, rowCount: source.rowCount };
  } finally {
    files.close();
    opened.close();
  }
}

/** The same for the same file, so that another attempt finds the parts of the one before. */
function partRowsOf(rowCount: number): number {
  return Math.max(partRowsMin, Math.ceil(rowCount / partsMax));
}

const partRowsMin = 4096;
const partsMax = 256;
