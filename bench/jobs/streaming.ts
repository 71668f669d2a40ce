import { join } from "node:path";
import { beside, inRounds, type Measured } from "../harness/figures.ts";
import type { Workplace } from "../harness/scenario.ts";
import { writeParquet } from "./data.ts";
import { RunningSuite, trained } from "./running-suite.ts";
import { specOf } from "./spec.ts";

const columns = { features: 255, targets: 1 };
const rowBytes = 4 * (columns.features + columns.targets);
/** What the job's process may take. */
const memoryBytes = 384 * 2 ** 20;

/** A dataset of four times the memory that its job may take, beside one of the same rows that fits. */
export async function streaming(place: Workplace): Promise<Measured[]> {
  const suite = await RunningSuite.start(place);
  const trainer = suite.clientOf(await suite.startTrainer());
  const datasetOf = async (name: string, bytes: number) => {
    const path = join(place.folder, `${name}.parquet`);
    await writeParquet(path, { rows: Math.round(bytes / rowBytes), columns: columns.features + columns.targets });
    return suite.upload(path);
  };
  const large = await datasetOf("large", 4 * memoryBytes);
  const small = await datasetOf("small", 64 * 2 ** 20);
  const waited: number[] = [];
  const train = async (dataset: string, epochs: number) => {
    const { job } = await trained(trainer, { ...specOf({ dataset, ...columns, epochs }), limits: { memoryBytes } });
    if (dataset === large) waited.push(job.progress!.waitedShare);
    return job.metrics.samples_per_second!;
  };
  const { fromDisk, inMemory } = await inRounds(2, {
    fromDisk: () => train(large, 1),
    inMemory: () => train(small, 24),
  });
  return [
    {
      metric: "a dataset of 4 times the job's memory",
      unit: "rows/s",
      runs: beside(fromDisk, inMemory),
      baselineOf: "one that fits",
      goal: { of: "ratio", kind: "at least", bound: 0.9 },
    },
    { metric: "the share of its time that it waited for data", unit: "", runs: waited.map((value) => ({ value })) },
  ];
}
