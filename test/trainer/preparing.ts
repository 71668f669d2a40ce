import type { ColumnPlan, DataPlan } from "../../services/trainer/datasets/columns/data-plan.ts";
import { type OpenForm, type RowForm, rowForm } from "../../services/trainer/datasets/columns/row-form.ts";
import { prepareData } from "../../services/trainer/datasets/prepared-data.ts";
import type { RowStorage } from "../../services/trainer/datasets/row-source.ts";
import { openRows } from "../../services/trainer/datasets/rows/open-rows.ts";
import type { Loss } from "../../services/trainer/graph/losses/loss.ts";
import { networkOf } from "../../services/trainer/graph/network-spec.ts";
import { tableSource } from "./table-source.ts";

/** One target, the last column; nothing is held out. */
export const plan: DataPlan = { columns: [], targetCount: 1, split: { kind: "random" }, validationShare: 0, seed: 1 };
/** What is said of a column. */
export const column = (name: string, fields: Partial<ColumnPlan> = {}): ColumnPlan => ({
  name,
  role: undefined,
  encoding: undefined,
  missing: undefined,
  ...fields,
});
const place = { memoryBytesMax: 2 ** 20, folder: "" };
const mse: Loss = { kind: "mse" };
export const classes: Loss = { kind: "cross_entropy" };

/** A linear network of so many numbers in and out. */
export const form = (inputSize: number, outputSize = 1, loss: Loss = mse) =>
  rowForm(networkOf({ kind: "layers", inputShape: [], layers: [{ kind: "linear", inputSize, outputSize }] }), loss);

export type Columns = Parameters<typeof tableSource>[0];
/** What becomes of a table. */
export const prepared = (columns: Columns, changes: Partial<DataPlan>, of: RowForm | OpenForm) =>
  prepareData(tableSource(columns), { ...plan, ...changes }, of, place);
/** Why a table cannot be learned from. */
export const refusal = (columns: Columns, changes: Partial<DataPlan>, of: RowForm | OpenForm) =>
  prepared(columns, changes, of).then(
    () => "accepted",
    (failure: { reason: string; message: string }) => `${failure.reason}: ${failure.message}`,
  );

/** Rows as lists of features and then targets, which are told to be of a type, or are those in memory. */
export function rowsIn(storage: RowStorage, targetType?: "FP32" | "INT32"): number[][] {
  const rows = openRows(storage);
  const isTokens = storage.kind === "memory" && storage.features instanceof Int32Array;
  const features = isTokens ? new Int32Array(rows.featureCount) : new Float32Array(rows.featureCount);
  const isFp32 = storage.kind === "memory" ? storage.targets instanceof Float32Array : targetType === "FP32";
  const targets = isFp32 ? new Float32Array(rows.targetCount) : new Int32Array(rows.targetCount);
  const reader = rows.inOrder();
  const all: number[][] = [];
  while (reader.read(features, targets) > 0) all.push([...features, ...targets]);
  return all;
}
