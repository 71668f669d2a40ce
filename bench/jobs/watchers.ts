import { join } from "node:path";
import { BenchProcess } from "../harness/bench-process.ts";
import { beside, inRounds, type Measured } from "../harness/figures.ts";
import { cpuSecondsWithChildren } from "../harness/process-figures.ts";
import type { Workplace } from "../harness/scenario.ts";
import { writeCsv } from "./data.ts";
import { endOf, RunningSuite, secondsFromStart, trained } from "./running-suite.ts";
import { specOf } from "./spec.ts";

const watcherCount = 200;
const rows = 5000;
const columns = { features: 64, targets: 16 };
const aboutSeconds = 12;
/** Of the runs that warm up. */
const fewEpochs = 50;

/**
 * A job of one thread that 200 more callers watch, each on its own connection, beside one that a single caller watches. Those who watch
 * look at nothing but the numbers of events, because what they do with them is not what watching costs the job.
 */
export async function watchers(place: Workplace): Promise<Measured[]> {
  const path = join(place.folder, "rows.csv");
  await writeCsv(path, { rows, columns: columns.features + columns.targets });
  const suite = await RunningSuite.start(place);
  const running = await suite.startTrainer({ AMAAS_TRAINER_THREADS: "1" });
  const trainer = suite.clientOf(running);
  const spec = { dataset: await suite.upload(path), ...columns };
  const load = new BenchProcess<typeof import("./load/watch.ts")>(new URL("load/watch", import.meta.url), place);
  const { job: first } = await trained(trainer, specOf({ ...spec, epochs: fewEpochs }));
  const epochs = Math.ceil((aboutSeconds * first.metrics.samples_per_second!) / rows);
  const port = Number(running.address.split(":")[1]);
  const watchedBy = async (count: number, round: number) => {
    const before = await cpuSecondsWithChildren(running.pid);
    const { name } = await trainer.unary("CreateJob", {
      job: { train: specOf({ ...spec, epochs: round === 0 ? fewEpochs : epochs }) },
    });
    await load.call("watch", { port, job: name, count });
    const { job, events } = await endOf(trainer, name);
    const seen = await load.call("counts");
    const wrong = seen.filter((each) => each !== events.length);
    if (wrong.length > 0) throw new Error(`watchers saw ${wrong.join(", ")} events; needed: ${events.length}`);
    const after = await cpuSecondsWithChildren(running.pid);
    const [trainerSeconds, jobSeconds] = [after.own - before.own, after.ended - before.ended];
    const rate = events.length / secondsFromStart(job, job.endTime);
    place.tell(
      `${count} watchers: ${trainerSeconds.toFixed(2)} s of trainer, ${jobSeconds.toFixed(2)} s of job, ${rate.toFixed(1)} events/s`,
    );
    return { seconds: secondsFromStart(job, job.endTime), trainerSeconds, jobSeconds };
  };
  const { watched, alone } = await inRounds(3, {
    watched: (round) => watchedBy(watcherCount, round),
    alone: (round) => watchedBy(0, round),
  });
  const shares = watched.map(({ trainerSeconds }, round) => ({
    value: (trainerSeconds - alone[round]!.trainerSeconds) / alone[round]!.jobSeconds,
  }));
  const what = `a job with ${watcherCount} more watchers`;
  return [
    {
      metric: `${what}: the trainer's processor time for them`,
      unit: "of the job's",
      runs: shares,
      goal: { of: "value", kind: "at most", bound: 0.05 },
    },
    {
      metric: what,
      unit: "s",
      runs: beside(
        watched.map(({ seconds }) => seconds),
        alone.map(({ seconds }) => seconds),
      ),
      baselineOf: "the same without",
      goal: { of: "ratio", kind: "at most", bound: 1.05 },
    },
  ];
}
