import { join } from "node:path";
import { setTimeout as passed } from "node:timers/promises";
import type { Job__Output } from "../../lib/gen/amaas/trainer/v1/Job.ts";
import type { TrainerServiceDefinition } from "../../lib/gen/amaas/trainer/v1/TrainerService.ts";
import type { RpcClient } from "../../lib/rpc/client.ts";
import { type Measured, median } from "../harness/figures.ts";
import type { Workplace } from "../harness/scenario.ts";
import { writeCsv } from "./data.ts";
import { RunningSuite, type RunningTrainer } from "./running-suite.ts";
import { specOf } from "./spec.ts";

const jobCount = 1000;
const workerCount = 4;
const killEveryMs = 10_000;

/** Small jobs on four trainers, of which one is killed and started again every ten seconds: how busy they are, and whether each job makes one version. */
export async function many(place: Workplace): Promise<Measured[]> {
  const path = join(place.folder, "rows.csv");
  await writeCsv(path, { rows: 200, columns: 5 });
  const suite = await RunningSuite.start(place);
  const dataset = await suite.upload(path);
  const settings = { AMAAS_TRAINER_THREADS: "1" };
  const front = await suite.startTrainer({ AMAAS_TRAINER_CONCURRENCY: "1", ...settings });
  const trainer = suite.clientOf(front);
  const spec = specOf({ dataset, features: 4, targets: 1, epochs: 2, batchRows: 50, hidden: 8 });
  const names = new Set<string>();
  for (let index = 0; index < jobCount; index++) {
    names.add((await trainer.unary("CreateJob", { job: { train: spec }, requestId: `bench-${index}` })).name);
  }
  const startedMs = performance.now();
  // The one that takes the calls lives; the others die in turn.
  const dying: RunningTrainer[] = [];
  for (let index = 1; index < workerCount; index++) dying.push(await suite.startTrainer(settings));
  const over = new AbortController();
  const killing = kill(suite, dying, settings, over.signal);
  await allEnded(trainer, names, place);
  const seconds = (performance.now() - startedMs) / 1000;
  over.abort();
  const kills = await killing;
  const jobs = await jobsOf(trainer, names);
  const faults = jobs.filter(({ state }) => state !== "STATE_SUCCEEDED");
  const versions = await versionCount(suite);
  const busySeconds = busySecondsOf(jobs);
  const exact = { of: "value", kind: "at most", bound: 0 } as const;
  return [
    {
      metric: `${jobCount} small jobs on ${workerCount} trainers, ${kills} kills: share of the time that they are busy`,
      unit: "",
      runs: [{ value: busySeconds / (workerCount * seconds) }],
      goal: { of: "value", kind: "at least", bound: 0.9 },
    },
    { metric: "jobs lost", unit: "", runs: [{ value: jobCount - names.size + faults.length }], goal: exact },
    { metric: "versions too many or too few", unit: "", runs: [{ value: Math.abs(versions - jobCount) }], goal: exact },
    { metric: "jobs", unit: "/s", runs: [{ value: jobCount / seconds }] },
  ];
}

async function kill(
  suite: RunningSuite,
  trainers: RunningTrainer[],
  settings: Readonly<Record<string, string>>,
  signal: AbortSignal,
): Promise<number> {
  for (let count = 0; ; count++) {
    await passed(killEveryMs, undefined, { signal }).catch(() => undefined);
    if (signal.aborted) return count;
    const index = count % trainers.length;
    await trainers[index]!.kill();
    trainers[index] = await suite.startTrainer(settings);
  }
}

async function allEnded(
  trainer: RpcClient<TrainerServiceDefinition>,
  names: ReadonlySet<string>,
  place: Workplace,
): Promise<void> {
  for (let open = names.size, polls = 0; open > 0; polls++) {
    await passed(1000);
    const jobs = await jobsOf(trainer, names);
    open = jobs.filter(({ state }) => state === "STATE_PENDING" || state === "STATE_RUNNING").length;
    if (polls % 20 === 0) place.tell(`${open} jobs wait or run`);
  }
}

async function jobsOf(
  trainer: RpcClient<TrainerServiceDefinition>,
  names: ReadonlySet<string>,
): Promise<Job__Output[]> {
  const { jobs } = await trainer.unary("ListJobs", { pageSize: 1000 });
  return jobs.filter(({ name }) => names.has(name));
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

/** As long as its work took: one that was begun again counts like the others, without the waits for another worker. */
function busySecondsOf(jobs: readonly Job__Output[]): number {
  const secondsOf = (at: Job__Output["endTime"]) => Number(at!.seconds) + at!.nanos / 1e9;
  const undisturbed = jobs.filter(({ attempts }) => attempts === 1);
  const typical = median(undisturbed.map(({ startTime, endTime }) => secondsOf(endTime) - secondsOf(startTime)));
  return typical * jobs.length;
}
