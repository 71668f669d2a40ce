import { mkdir, rm } from "node:fs/promises";
import { join } from "node:path";
import { DuckDBInstance } from "@duckdb/node-api";
import type { ColumnPlan } from "../../services/trainer/datasets/columns/data-plan.ts";
import { rowForm } from "../../services/trainer/datasets/columns/row-form.ts";
import { readDataset } from "../../services/trainer/datasets/read-dataset.ts";
import { networkOf } from "../../services/trainer/graph/network-spec.ts";
import type { Measured, Run } from "../harness/figures.ts";
import type { Workplace } from "../harness/scenario.ts";

const rounds = 5;
const [rowCount, featureCount] = [1_000_000, 10];

/** How long it takes until the rows of a Parquet file can be trained on: as they are, and scaled by their training rows. */
export async function reading({ folder }: Workplace): Promise<readonly Measured[]> {
  const path = join(folder, "rows.parquet");
  await writeParquet(path);
  const names = Array.from({ length: featureCount }, (_, index) => `x${index}`);
  const scaled = names.map(
    (name): ColumnPlan => ({ ...{ name, role: undefined, missing: undefined }, encoding: { kind: "standard" } }),
  );
  const [plain, fitted]: Run[][] = [[], []];
  for (let round = 0; round < rounds; round++) {
    plain!.push({ value: await secondsFor(path, join(folder, "reading"), []) });
    fitted!.push({ value: await secondsFor(path, join(folder, "reading"), scaled) });
  }
  const what = `${rowCount} rows of ${featureCount + 1} columns of Parquet become rows in memory`;
  const goal = { of: "value", kind: "at most", bound: 2 } as const;
  return [
    { metric: what, unit: "s", runs: plain!, goal },
    { metric: `${what}, all features scaled`, unit: "s", runs: fitted!, goal },
  ];
}

async function writeParquet(path: string): Promise<void> {
  const instance = await DuckDBInstance.create();
  const connection = await instance.connect();
  const columns = Array.from({ length: featureCount }, (_, index) => `random()::FLOAT AS x${index}`);
  await connection.run(
    `COPY (SELECT ${columns.join(", ")}, random()::FLOAT AS y FROM range(${rowCount})) TO '${path}' (FORMAT parquet)`,
  );
  connection.closeSync();
  instance.closeSync();
}

async function secondsFor(path: string, folder: string, columns: readonly ColumnPlan[]): Promise<number> {
  await mkdir(folder);
  const network = networkOf({ kind: "mlp", inputShape: [featureCount], hiddenSizes: [], outputSize: 1 });
  const plan = { columns, targetCount: 1, split: { kind: "random" }, validationShare: 0.2, seed: 1 } as const;
  const file = { path, folder, memoryBytesMax: 2 ** 30, threadCount: 2, expandedBytesMax: 2 ** 30 };
  const startedMs = performance.now();
  await readDataset(file, { format: { kind: "parquet" }, plan }, rowForm(network, { kind: "mse" }), {
    memoryBytesMax: 2 ** 30,
    folder,
  });
  const seconds = (performance.now() - startedMs) / 1000;
  await rm(folder, { recursive: true });
  return seconds;
}
