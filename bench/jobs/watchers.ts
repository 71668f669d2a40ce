import { join } from "node:path";
import { BenchProcess } from "../harness/bench-process.ts";
import { beside, inRounds, type Measured } from "../harness/figures.ts";
import type { Workplace } from "../harness/scenario.ts";
import { writeCsv } from "./data.ts";
import { RunningSuite, secondsFromStart, trained } from "./running-suite.ts";
import { specOf } from "./spec.ts";

const watcherCount = 200;
const columns = { features: 64, targets: 16 };

/** A job that 200 callers watch, beside one that one watches. */
export async function watchers(place: Workplace): Promise<Measured[]> {
  const path = join(place.folder, "rows.csv");
  await writeCsv(path, { rows: 5000, columns: columns.features + columns.targets });
  const suite = await RunningSuite.start(place);
  const running = await suite.startTrainer();
  const trainer = suite.clientOf(running);
  const dataset = await suite.upload(path);
  const load = new BenchProcess<typeof import("./load/watch.ts")>(new URL("load/watch", import.meta.url), place);
  const seconds = async (count: number) => {
    await load.call("watchNewJobs", { address: running.address, count });
    const { job, events } = await trained(trainer, specOf({ dataset, ...columns, epochs: 100 }));
    const seen = await load.call("counts");
    const wrong = seen.filter((each) => each !== events.length);
    if (wrong.length > 0) throw new Error(`watchers saw ${wrong.join(", ")} events; needed: ${events.length}`);
    return secondsFromStart(job, job.endTime);
  };
  const { watched, alone } = await inRounds(3, { watched: () => seconds(watcherCount), alone: () => seconds(0) });
  return [
    {
      metric: `a job with ${watcherCount} watchers`,
      unit: "s",
      runs: beside(watched, alone),
      baselineOf: "the same without",
      goal: { of: "ratio", kind: "at most", bound: 1.05 },
    },
  ];
}
