import { join } from "node:path";
import { setTimeout as passed } from "node:timers/promises";
import type { Job__Output } from "../../lib/gen/amaas/trainer/v1/Job.ts";
import type { TrainerServiceDefinition } from "../../lib/gen/amaas/trainer/v1/TrainerService.ts";
import type { RpcClient } from "../../lib/rpc/client.ts";
import { timeMsOf } from "../../lib/timestamp.ts";
import { type Measured, median } from "../harness/figures.ts";
import type { Workplace } from "../harness/scenario.ts";
import { writeCsv } from "./data.ts";
import { RunningSuite, type RunningTrainer } from "./running-suite.ts";
import { specOf } from "./spec.ts";

const jobCount = 1000;
const workerCount = 4;
const killEveryMs = 10_000;

/**
 * Small jobs on four trainers, of which one is killed and started again every ten seconds: in which share of their time they run jobs, from when
 * all jobs are queued and all trainers are there until the last job has ended; and whether each job makes one version.
 */
export async function many(place: Workplace): Promise<Measured[]> {
  const path = join(place.folder, "rows.csv");
  await writeCsv(path, { rows: 200, columns: 5 });
  const suite = await RunningSuite.start(place);
  const dataset = await suite.upload(path);
  const settings = { AMAAS_TRAINER_THREADS: "1" };
  const front = await suite.startTrainer({ AMAAS_TRAINER_CONCURRENCY: "1", ...settings });
  const trainer = suite.clientOf(front);
  // The one that takes the calls lives; the others die in turn.
  const dying: RunningTrainer[] = [];
  for (let index = 1; index < workerCount; index++) dying.push(await suite.startTrainer(settings));
  const spec = specOf({ dataset, features: 4, targets: 1, epochs: 2, batchRows: 50, hidden: 8 });
  const names: string[] = [];
  for (let index = 0; index < jobCount; index++) {
    names.push((await trainer.unary("CreateJob", { job: { train: spec }, requestId: `bench-${index}` })).name);
  }
  const beganMs = Date.now();
  const over = new AbortController();
  const killing = kill(suite, dying, settings, over.signal);
  const jobs = await allEnded(trainer, names, place).finally(() => over.abort());
  const kills = await killing;
  const endedMs = Math.max(...jobs.map(({ endTime }) => timeMsOf(endTime!)));
  const seconds = (endedMs - beganMs) / 1000;
  const faults = jobs.filter(({ state }) => state !== "STATE_SUCCEEDED");
  const versions = await versionCount(suite);
  const distinct = new Set(names).size;
  const timed = jobs.filter(({ endTime }) => timeMsOf(endTime!) > beganMs);
  const exact = { of: "value", kind: "at most", bound: 0 } as const;
  return [
    {
      metric: `${jobCount} small jobs on ${workerCount} trainers, ${kills} kills: share of the time that they are busy`,
      unit: "",
      runs: [{ value: busySeconds(timed, beganMs) / (workerCount * seconds) }],
      goal: { of: "value", kind: "at least", bound: 0.9 },
    },
    { metric: "jobs lost", unit: "", runs: [{ value: jobCount - distinct + faults.length }], goal: exact },
    { metric: "versions too many or too few", unit: "", runs: [{ value: Math.abs(versions - jobCount) }], goal: exact },
    { metric: "jobs", unit: "/s", runs: [{ value: timed.length / seconds }] },
  ];
}

/** Kills one every so often, and has it started again meanwhile; answers how many were. */
async function kill(
  suite: RunningSuite,
  trainers: RunningTrainer[],
  settings: Readonly<Record<string, string>>,
  signal: AbortSignal,
): Promise<number> {
  const beganMs = performance.now();
  let starting = Promise.resolve();
  for (let count = 0; ; count++) {
    const leftMs = beganMs + (count + 1) * killEveryMs - performance.now();
    await passed(leftMs, undefined, { signal }).catch(() => undefined);
    await starting;
    if (signal.aborted) return count;
    const index = count % trainers.length;
    await trainers[index]!.kill();
    starting = suite.startTrainer(settings).then((trainer) => {
      trainers[index] = trainer;
    });
    // It is told above.
    starting.catch(() => undefined);
  }
}

/** The jobs in the order in which they were created, once all have ended. They are asked for one by one: to list them all would take long, at each look. */
async function allEnded(
  trainer: RpcClient<TrainerServiceDefinition>,
  names: readonly string[],
  { tell }: Workplace,
): Promise<Job__Output[]> {
  const ended: Job__Output[] = [];
  for (let looks = 0; ended.length < names.length; ) {
    const job = await trainer.unary("GetJob", { name: names[ended.length]! });
    if (job.endTime !== null) ended.push(job);
    else {
      await passed(500);
      if (looks++ % 40 === 0) tell(`${ended.length} jobs have ended`);
    }
  }
  return ended;
}

async function versionCount({ registry }: RunningSuite): Promise<number> {
  let [count, pageToken] = [0, ""];
  do {
    const page = await registry.unary("ListVersions", { parent: "models/bench", pageSize: 1000, pageToken });
    count += page.versions.length;
    pageToken = page.nextPageToken;
  } while (pageToken !== "");
  return count;
}

/**
 * Seconds of work on jobs since a time. One that was begun again counts as long as the others take, without what was lost and the waits for another
 * worker.
 */
function busySeconds(jobs: readonly Job__Output[], sinceMs: number): number {
  const undisturbed = jobs.filter(({ attempts }) => attempts === 1);
  const took = undisturbed.map(
    ({ startTime, endTime }) => timeMsOf(endTime!) - Math.max(sinceMs, timeMsOf(startTime!)),
  );
  const sumMs = took.reduce((sum, each) => sum + each, 0);
  return (sumMs + median(took) * (jobs.length - undisturbed.length)) / 1000;
}
