import { setTimeout as passed } from "node:timers/promises";
import type { GRPCInferenceServiceDefinition } from "../../lib/gen/inference/GRPCInferenceService.ts";
import { RpcClient } from "../../lib/rpc/client.ts";
import { type Measured, median } from "../harness/figures.ts";
import { residentOf } from "../harness/process-figures.ts";
import type { Workplace } from "../harness/scenario.ts";
import { largeModel, smallModel } from "./models.ts";
import { unaryLoad } from "./processes.ts";
import { inferPath, smallRequests } from "./requests.ts";
import { startNode } from "./running-node.ts";

const cycles = 500;
const settledAfter = 20;
/** Cycles whose median stands for one moment. */
const around = 5;
const traffic = { path: inferPath, connections: 1, perSecond: 100, durationMs: 2000 };
const mib = 1024 ** 2;
const loadTimeoutMs = 60_000;
const pollMs = 5;

/** What loading and unloading a model of 100 MB over and over leaves behind, while another model is called. */
export async function reload(place: Workplace): Promise<Measured[]> {
  const models = [
    { name: "small", file: smallModel() },
    { name: "large", file: largeModel() },
  ];
  const node = await startNode(place, { name: "reload", models, loaded: ["small"] });
  const client = new RpcClient<GRPCInferenceServiceDefinition>("inference.GRPCInferenceService", node.address);
  place.atEnd(() => client.close());

  let isOver = false;
  const calls = keepCalling(place, node.port, () => isOver);
  const residentMib: number[] = [];
  const cycleMs: number[] = [];
  try {
    for (let cycle = 1; cycle <= cycles; cycle++) {
      const begin = performance.now();
      await client.unary("RepositoryModelLoad", { modelName: "large" }, { timeoutMs: loadTimeoutMs });
      await client.unary("RepositoryModelUnload", { modelName: "large" });
      await unloaded(client);
      cycleMs.push(performance.now() - begin);
      residentMib.push((await residentOf(node.pid)).nowBytes / mib);
      if (cycle === settledAfter || cycle % 100 === 0)
        place.tell(`${cycle} of ${cycles} cycles, ${residentMib.at(-1)!.toFixed(0)} MiB`);
    }
  } finally {
    isOver = true;
  }
  const { refused, p99Ms } = await calls;
  const settled = median(residentMib.slice(settledAfter - around, settledAfter));
  return [
    {
      metric: `resident memory after ${cycles} times loading and unloading 100 MB`,
      unit: "MiB",
      runs: [{ value: median(residentMib.slice(-around)), baseline: settled }],
      baselineOf: `after ${settledAfter} times`,
      goal: { of: "ratio", kind: "at most", bound: 1.1 },
    },
    { metric: "one time loading and unloading 100 MB", unit: "ms", runs: [{ value: median(cycleMs) }] },
    {
      metric: "calls of another model that were refused meanwhile",
      unit: "calls",
      runs: [{ value: refused }],
      goal: { of: "value", kind: "at most", bound: 0 },
    },
    { metric: "p99 of another model meanwhile", unit: "ms", runs: [{ value: p99Ms }] },
  ];
}

/** Settles once the native memory of the large model is free. */
async function unloaded(client: RpcClient<GRPCInferenceServiceDefinition>): Promise<void> {
  while (true) {
    const { models } = await client.unary("RepositoryIndex", {});
    if (models.find(({ name }) => name === "large")?.state === "UNAVAILABLE") return;
    await passed(pollMs);
  }
}

/** Calls the small model until it is over. */
async function keepCalling(place: Workplace, port: number, isOver: () => boolean) {
  const caller = unaryLoad(place);
  const requests = smallRequests("small");
  const p99sMs: number[] = [];
  let refused = 0;
  while (!isOver()) {
    const answered = await caller.call("paced", { ...traffic, port, requests });
    refused += answered.refused;
    p99sMs.push(answered.p99Ms);
  }
  return { refused, p99Ms: median(p99sMs) };
}
