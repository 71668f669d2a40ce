import { extname } from "node:path";
import type { GRPCInferenceServiceDefinition } from "../../lib/gen/inference/GRPCInferenceService.ts";
import { RpcClient } from "../../lib/rpc/client.ts";
import { beside, inRounds, type Measured } from "../harness/figures.ts";
import { cpuSeconds } from "../harness/process-figures.ts";
import type { Workplace } from "../harness/scenario.ts";
import { smallModel } from "./models.ts";
import { unaryLoad } from "./processes.ts";
import { inferPath, smallRequests } from "./requests.ts";
import { type RunningNode, startNode } from "./running-node.ts";

const rounds = 15;
const load = { path: inferPath, connections: 4, inFlightPerConnection: 16, durationMs: 2000 };
const concurrency = load.connections * load.inFlightPerConnection;
/** Far more often than anybody scrapes. */
const scrapeIntervalMs = 1000;

/** What counting and being scraped costs: a small model, whose requests are mostly overhead, beside a node that counts nothing. */
export async function metrics(place: Workplace): Promise<Measured[]> {
  const file = smallModel();
  const models = [
    { name: "single", file },
    { name: "joined", file, settings: { dynamicBatching: { maxBatchSize: 64 } } },
  ];
  const node = await startNode(place, { name: "counting", models });
  const without = new URL(`load/without-figures${extname(import.meta.url)}`, import.meta.url);
  const bare = await startNode(place, { name: "bare", models, execArgv: ["--import", without.href] });
  const caller = unaryLoad(place);
  let scrapes = 0;
  const measured = (counts: boolean, model: string) => async () => {
    const { pid, port } = counts ? node : bare;
    const timer = setInterval(() => {
      if (counts) void scrape(node.metricsPort).then(() => scrapes++);
    }, scrapeIntervalMs);
    try {
      const before = await cpuSeconds(pid);
      const answered = await caller.call("rate", { ...load, port, requests: smallRequests(model) });
      const cpu = (((await cpuSeconds(pid)) - before) / answered.calls) * 1e6;
      return { rate: answered.calls / answered.seconds, cpu };
    } finally {
      clearInterval(timer);
    }
  };
  const figures = await inRounds(rounds, {
    single: measured(true, "single"),
    bareSingle: measured(false, "single"),
    joined: measured(true, "joined"),
    bareJoined: measured(false, "joined"),
  });
  if (scrapes === 0) throw new Error("the node was never scraped");
  if ((await runCount(node)) === 0) throw new Error("the node that is measured has counted nothing");
  if ((await runCount(bare)) > 0) throw new Error("the baseline has counted too");
  const side = (subject: keyof typeof figures, baseline: keyof typeof figures, figure: "rate" | "cpu") =>
    beside(
      figures[subject].map((run) => run[figure]),
      figures[baseline].map((run) => run[figure]),
    );
  const baselineOf = "a node that counts and measures nothing";
  return (["single", "joined"] as const).flatMap((name): Measured[] => {
    const baseline = name === "single" ? "bareSingle" : "bareJoined";
    const metric = `784-512-10, ${concurrency} at once, ${name === "single" ? "no batching" : "batching"}, counted and scraped`;
    return [
      {
        metric,
        unit: "1/s",
        runs: side(name, baseline, "rate"),
        baselineOf,
        goal: { of: "ratio", kind: "at least", bound: 0.97 },
      },
      { metric: `${metric}, processor time per call`, unit: "µs", runs: side(name, baseline, "cpu"), baselineOf },
    ];
  });
}

/** The runs that a node has counted. */
async function runCount({ address }: RunningNode): Promise<number> {
  const client = new RpcClient<GRPCInferenceServiceDefinition>("inference.GRPCInferenceService", address);
  try {
    const { modelStats } = await client.unary("ModelStatistics", {});
    return modelStats.reduce((sum, { executionCount }) => sum + Number(executionCount), 0);
  } finally {
    client.close();
  }
}

async function scrape(port: number): Promise<void> {
  const response = await fetch(`http://127.0.0.1:${port}/metrics`);
  const text = await response.text();
  if (!text.includes("nv_inference_request_success{")) throw new Error(`the scrape failed: ${response.status} ${text}`);
}
