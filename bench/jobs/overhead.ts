import { join } from "node:path";
import { BenchProcess } from "../harness/bench-process.ts";
import { beside, inRounds, type Measured } from "../harness/figures.ts";
import type { Workplace } from "../harness/scenario.ts";
import { writeCsv } from "./data.ts";
import { RunningSuite, secondsFromStart, trained } from "./running-suite.ts";
import { specOf } from "./spec.ts";

const shape = { rows: 10_000, features: 64, targets: 16 };
const aboutSeconds = 60;

/** A training of about a minute as a job, with its queue, progress, a checkpoint every ten seconds and its registration, beside the engine alone. */
export async function overhead(place: Workplace): Promise<Measured[]> {
  const path = join(place.folder, "rows.csv");
  await writeCsv(path, { rows: shape.rows, columns: shape.features + shape.targets });
  const suite = await RunningSuite.start(place);
  const trainer = suite.clientOf(await suite.startTrainer());
  const dataset = await suite.upload(path);
  const module = new URL("load/bare-training", import.meta.url);
  const bare = new BenchProcess<typeof import("./load/bare-training.ts")>(module, place);
  const secondsOf = (epochs: number) => bare.call("secondsOf", { ...shape, epochs });
  const few = 10;
  await secondsOf(few);
  const epochs = Math.ceil((few * aboutSeconds) / (await secondsOf(few)));
  const { asJob, alone } = await inRounds(3, {
    asJob: async (round) => {
      if (round === 0) return 0;
      const checkpoints = { every: { seconds: 10 } };
      const { job } = await trained(trainer, { ...specOf({ dataset, ...shape, epochs }), checkpoints });
      return secondsFromStart(job, job.endTime);
    },
    alone: async (round) => (round === 0 ? 0 : secondsOf(epochs)),
  });
  return [
    {
      metric: "a training of a minute as a job",
      unit: "s",
      runs: beside(asJob, alone),
      baselineOf: "the engine alone",
      goal: { of: "ratio", kind: "at most", bound: 1.03 },
    },
  ];
}
