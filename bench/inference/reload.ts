import { setTimeout as passed } from "node:timers/promises";
import { messageOf } from "../../lib/errors.ts";
import type { GRPCInferenceServiceDefinition } from "../../lib/gen/inference/GRPCInferenceService.ts";
import { RpcClient } from "../../lib/rpc/client.ts";
import { type Measured, median } from "../harness/figures.ts";
import { residentOf } from "../harness/process-figures.ts";
import type { Workplace } from "../harness/scenario.ts";
import { largeModel, smallInstances, smallModel } from "./models.ts";
import { unaryLoad } from "./processes.ts";
import { inferPath, smallRequests } from "./requests.ts";
import { startNode } from "./running-node.ts";

const cycles = 500;
const settledAfter = 20;
const traffic = { path: inferPath, connections: 1, perSecond: 100, durationMs: 2000 };
/**
 * Calls alone let memory swing, since garbage gathers until V8 collects all of it: without any reload from 177 to 238 MiB, in 44,000
 * calls. So more calls than that come before the first cycle, and the median over some time stands for a moment.
 */
const warmUp = { perSecond: 1000, ms: 80_000 };
/** Of the calls alone beside which those during reloads stand. */
const aloneMs = 30_000;
const periodMs = 120_000;
const sampleMs = 1000;
const mib = 1024 ** 2;
/** As long as a node gives a load. */
const loadTimeoutMs = 600_000;
const pollMs = 5;

/** What loading and unloading a model of 100 MB over and over leaves behind, and what another model that is called notices of it. */
export async function reload(place: Workplace): Promise<Measured[]> {
  const models = [
    {
      name: "small",
      file: smallModel(),
      settings: { instanceGroups: smallInstances, dynamicBatching: { maxBatchSize: 64 } },
    },
    { name: "large", file: largeModel() },
  ];
  const node = await startNode(place, { name: "reload", models, loaded: ["small"] });
  // It gets the same calls, and nothing is loaded there.
  const control = await startNode(place, { name: "control", models, loaded: ["small"] });
  const client = new RpcClient<GRPCInferenceServiceDefinition>("inference.GRPCInferenceService", node.address);
  place.atEnd(() => client.close());

  const memory: Sample[] = [];
  const memoryOfControl: Sample[] = [];
  const sample = async () => {
    memory.push(await sampleOf(node.pid));
    memoryOfControl.push(await sampleOf(control.pid));
  };
  place.tell(`calls alone for ${(warmUp.ms + aloneMs) / 1000} s`);
  const warming = [node, control].map(({ port }) => keepCalling(place, port, warmUp.perSecond));
  await passed(warmUp.ms);
  await Promise.all(warming.map((calls) => calls.end()));
  const ofControl = keepCalling(place, control.port);
  const alone = keepCalling(place, node.port);
  for (const endMs = performance.now() + aloneMs; performance.now() < endMs; await passed(sampleMs)) await sample();
  const callsAlone = await alone.end();

  const besideLoads = keepCalling(place, node.port);
  const cycleMs: number[] = [];
  let settled = Number.NaN;
  try {
    for (let cycle = 1; cycle <= cycles; cycle++) {
      const begin = performance.now();
      await client.unary("RepositoryModelLoad", { modelName: "large" }, { timeoutMs: loadTimeoutMs });
      await client.unary("RepositoryModelUnload", { modelName: "large" });
      await unloaded(client);
      cycleMs.push(performance.now() - begin);
      await sample();
      if (cycle === settledAfter) settled = lately(memory);
      if (cycle === settledAfter || cycle % 100 === 0)
        place.tell(`${cycle} of ${cycles} cycles, ${lately(memory).toFixed(0)} MiB`);
    }
  } finally {
    await Promise.all([besideLoads.end(), ofControl.end()]);
  }
  const calls = await besideLoads.end();
  const [fault] = [...callsAlone.faults, ...calls.faults];
  return [
    {
      metric: `resident memory after ${cycles} times loading and unloading 100 MB`,
      unit: "MiB",
      runs: [{ value: lately(memory), baseline: settled }],
      baselineOf: `after ${settledAfter} times, and ${(warmUp.perSecond * warmUp.ms) / 1000} calls before them`,
      goal: { of: "ratio", kind: "at most", bound: 1.1 },
      ifMissed:
        "garbage of the calls, more of which are under way at a full collection where the cores are busy: see the next row",
    },
    {
      metric: "resident memory then",
      unit: "MiB",
      runs: [{ value: lately(memory), baseline: lately(memoryOfControl) }],
      baselineOf: "a node that gets the same calls and loads nothing",
    },
    { metric: "one time loading and unloading 100 MB", unit: "ms", runs: [{ value: median(cycleMs) }] },
    {
      metric: "calls of another model that were refused meanwhile",
      unit: "calls",
      runs: [{ value: calls.refused }],
      goal: { of: "value", kind: "at most", bound: 0 },
      fault,
    },
    {
      metric: "p99 of another model meanwhile",
      unit: "ms",
      runs: [{ value: median(calls.p99sMs), baseline: median(callsAlone.p99sMs) }],
      baselineOf: "the same calls without loading",
      fault,
    },
  ];
}

interface Sample {
  readonly atMs: number;
  readonly mib: number;
}

async function sampleOf(pid: number): Promise<Sample> {
  return { atMs: performance.now(), mib: (await residentOf(pid)).nowBytes / mib };
}

/** The median of the last period. */
function lately(samples: readonly Sample[]): number {
  const fromMs = samples.at(-1)!.atMs - periodMs;
  return median(samples.filter(({ atMs }) => atMs >= fromMs).map(({ mib }) => mib));
}

/** Settles once the native memory of the large model is free. */
async function unloaded(client: RpcClient<GRPCInferenceServiceDefinition>): Promise<void> {
  while (true) {
    const { models } = await client.unary("RepositoryIndex", {});
    if (models.find(({ name }) => name === "large")?.state === "UNAVAILABLE") return;
    await passed(pollMs);
  }
}

/** Calls the small model until it is told to end. */
function keepCalling(place: Workplace, port: number, perSecond = traffic.perSecond) {
  const caller = unaryLoad(place);
  const requests = smallRequests("small");
  const seen = { p99sMs: [] as number[], refused: 0, faults: [] as string[] };
  let isOver = false;
  const called = (async () => {
    while (!isOver) {
      const { p99Ms, refused, behind } = await caller.call("paced", { ...traffic, perSecond, port, requests });
      seen.refused += refused;
      seen.p99sMs.push(p99Ms);
      if (behind !== undefined) seen.faults.push(behind);
    }
  })().catch((failure: unknown) => seen.faults.push(messageOf(failure)));
  const end = async () => {
    isOver = true;
    await called;
    await caller.stop();
    return seen;
  };
  return { end };
}
