import { join } from "node:path";
import type { Measured } from "../harness/figures.ts";
import type { Workplace } from "../harness/scenario.ts";
import { writeParquet } from "./data.ts";
import { RunningSuite, secondsFromStart, trained } from "./running-suite.ts";
import { specOf } from "./spec.ts";

/** How soon a job on 1,000,000 rows of 10 columns has taken steps: the first time each trainer has to download the file, later it has it. */
export async function parquet(place: Workplace): Promise<Measured[]> {
  const path = join(place.folder, "rows.parquet");
  await writeParquet(path, { rows: 1_000_000, columns: 10 });
  const suite = await RunningSuite.start(place);
  const trainer = suite.clientOf(await suite.startTrainer());
  const dataset = await suite.upload(path);
  const seconds: number[] = [];
  for (let round = 0; round < 4; round++) {
    const spec = specOf({ dataset, features: 9, targets: 1, epochs: 1, batchRows: 1000, hidden: 64 });
    const { job, events } = await trained(trainer, spec);
    const first = events.find(({ progressed }) => (progressed?.step ?? 0) > 0);
    if (first === undefined) throw new Error("the job told no step");
    seconds.push(secondsFromStart(job, first.time));
  }
  const [download, ...later] = seconds;
  const goal = { of: "value", kind: "at most", bound: 2 } as const;
  const metric = "1,000,000 × 10 Parquet, from the job's start to its first steps";
  return [
    { metric: `${metric}, downloaded first`, unit: "s", runs: [{ value: download! }], goal },
    { metric, unit: "s", runs: later.map((value) => ({ value })), goal },
  ];
}
