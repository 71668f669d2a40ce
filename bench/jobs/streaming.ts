import { join } from "node:path";
import { beside, inRounds, type Measured } from "../harness/figures.ts";
import { peakOfChildren } from "../harness/process-figures.ts";
import type { Workplace } from "../harness/scenario.ts";
import { writeNpy } from "./data.ts";
import { RunningSuite, trained } from "./running-suite.ts";
import { specOf } from "./spec.ts";

const columns = { features: 255, targets: 1 };
const rowBytes = 4 * (columns.features + columns.targets);
/** What the job's process may take. */
const memoryBytes = 384 * 2 ** 20;
/** Of the rows that fit: less than the quarter of the memory up to which rows are kept in it. */
const smallBytes = 64 * 2 ** 20;

/** A dataset whose rows take four times the memory that its job may take, beside one of the same rows that fits. */
export async function streaming(place: Workplace): Promise<Measured[]> {
  const suite = await RunningSuite.start(place);
  const running = await suite.startTrainer();
  const trainer = suite.clientOf(running);
  const datasetOf = async (name: string, bytes: number) => {
    const path = join(place.folder, `${name}.npy`);
    await writeNpy(path, { rows: Math.round(bytes / rowBytes), columns: columns.features + columns.targets });
    return suite.upload(path);
  };
  const large = await datasetOf("large", 4 * memoryBytes);
  const small = await datasetOf("small", smallBytes);
  const waited: number[] = [];
  const held: number[] = [];
  const train = async (dataset: string, epochs: number) => {
    const peak = peakOfChildren(running.pid);
    const { job } = await trained(trainer, { ...specOf({ dataset, ...columns, epochs }), limits: { memoryBytes } });
    const heldBytes = await peak.end();
    const rate = job.metrics.samples_per_second!;
    place.tell(`${Math.round(rate)} rows/s with ${Math.round(heldBytes / 2 ** 20)} MiB of memory at most`);
    if (dataset === large) {
      waited.push(job.progress!.waitedShare);
      held.push(heldBytes / memoryBytes);
    }
    return rate;
  };
  const { fromDisk, inMemory } = await inRounds(4, {
    fromDisk: (round) => (round === 0 ? train(small, 1) : train(large, 1)),
    // As many steps as of the other.
    inMemory: (round) => train(small, round === 0 ? 1 : (4 * memoryBytes) / smallBytes),
  });
  return [
    {
      metric: "a dataset of 4 times the job's memory",
      unit: "rows/s",
      runs: beside(fromDisk, inMemory),
      baselineOf: "one that fits",
      goal: { of: "ratio", kind: "at least", bound: 0.9 },
    },
    {
      metric: "the memory that it held at most",
      unit: "of what it may have",
      runs: held.map((value) => ({ value })),
      goal: { of: "value", kind: "at most", bound: 1 },
    },
    { metric: "the share of its time that it waited for data", unit: "", runs: waited.map((value) => ({ value })) },
  ];
}
