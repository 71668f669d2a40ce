import { mkdir } from "node:fs/promises";
import { join } from "node:path";
import { Random } from "../../lib/random.ts";
import type { PreparedData } from "../../services/trainer/datasets/row-source.ts";
import { DiskWriter } from "../../services/trainer/datasets/rows/disk-writer.ts";
import { MemoryWriter } from "../../services/trainer/datasets/rows/memory-writer.ts";
import type { RowWidths, RowWriter } from "../../services/trainer/datasets/rows/row-writer.ts";
import type { TrainingPlan } from "../../services/trainer/engine/training-plan.ts";
import { runTraining } from "../../services/trainer/engine/training-run.ts";
import type { Measured, Run } from "../harness/figures.ts";
import type { Workplace } from "../harness/scenario.ts";

const rounds = 5;
const rowCount = 3_000_000;
const widths: RowWidths = { featureCount: 10, targetCount: 1, featureType: "FP32", targetType: "FP32" };

/** A small network, so that rows are needed fast. */
const plan: TrainingPlan = {
  network: { kind: "mlp", inputShape: [10], hiddenSizes: [64, 64], outputSize: 1 },
  loss: { kind: "mse" },
  optimizer: { kind: "sgd", learningRate: 0.001 },
  epochCount: 1,
  batchRows: 256,
  seed: 1,
  validationShare: 0,
  threadCount: 1,
};

/** How fast a training goes whose rows lie on disk, with memory for a quarter of them at most, beside one whose rows lie in memory. */
export async function rows({ folder, tell }: Workplace): Promise<readonly Measured[]> {
  const onDisk = join(folder, "rows");
  await mkdir(onDisk);
  const disk = await written(await DiskWriter.create(widths, onDisk));
  const memory = await written(new MemoryWriter(widths, rowCount, 0));
  const rates: Run[] = [];
  const waits: Run[] = [];
  for (let round = 0; round < rounds; round++) {
    const order = round % 2 === 0 ? [disk, memory] : [memory, disk];
    const metrics = new Map<PreparedData, Awaited<ReturnType<typeof runTraining>>["metrics"]>();
    for (const data of order) metrics.set(data, (await runTraining(plan, data)).metrics);
    const [fromDisk, fromMemory] = [metrics.get(disk)!, metrics.get(memory)!];
    rates.push({ value: fromDisk.samplesPerSecond, baseline: fromMemory.samplesPerSecond });
    waits.push({ value: fromDisk.waitedShare ?? 0 });
    tell(`round ${round + 1}: ${Math.round(fromDisk.samplesPerSecond)} rows/s from disk`);
  }
  const what = `${rowCount} rows of ${widths.featureCount} numbers on disk`;
  return [
    {
      metric: `training on ${what}`,
      unit: "rows/s",
      runs: rates,
      baselineOf: "the same rows in memory",
      goal: { of: "ratio", kind: "at least", bound: 0.9 },
    },
    { metric: `waiting for ${what}`, unit: "share of the time", runs: waits },
  ];
}

async function written(writer: RowWriter): Promise<PreparedData> {
  const random = new Random(1, "rows");
  const at = 10_000;
  const [features, targets] = [new Float32Array(at * widths.featureCount), new Float32Array(at)];
  const parts = new Uint8Array(at);
  for (let first = 0; first < rowCount; first += at) {
    for (let index = 0; index < features.length; index++) features[index] = random.uniform() - 0.5;
    for (let row = 0; row < at; row++) targets[row] = features[row * widths.featureCount]! * 2;
    await writer.add(features, targets, parts);
  }
  const data = await writer.finished();
  await writer.close();
  return data;
}
