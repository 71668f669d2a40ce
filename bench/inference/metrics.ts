import { join } from "node:path";
import { beside, inRounds, type Measured } from "../harness/figures.ts";
import type { Workplace } from "../harness/scenario.ts";
import { smallInstances, smallModel } from "./models.ts";
import { countingNode, unaryLoad } from "./processes.ts";
import { inferPath, smallRequests } from "./requests.ts";
import { settingsOf, untilReady, writeAssignment } from "./running-node.ts";

const rounds = 40;
const scrapes = 50;
/** As Prometheus is often set; its own default is a minute. */
const scrapeIntervalS = 15;
const load = { path: inferPath, connections: 4, inFlightPerConnection: 16, durationMs: 750 };
const concurrency = load.connections * load.inFlightPerConnection;

/**
 * What counting and being scraped costs: a small model, whose requests are mostly overhead, on one node under load that counts and does not
 * in turn, so that both sides are the same process and see the same of the machine. What a scrape takes is seen by itself, of the idle node.
 */
export async function metrics(place: Workplace): Promise<Measured[]> {
  const file = smallModel();
  const models = [
    { name: "single", file, settings: { instanceGroups: smallInstances } },
    { name: "joined", file, settings: { instanceGroups: smallInstances, dynamicBatching: { maxBatchSize: 64 } } },
  ];
  await writeAssignment(join(place.folder, "inference", "counting"), models);
  const node = countingNode({ ...place, env: settingsOf(place, "counting") });
  const { port, metricsPort } = await node.call("listen", settingsOf(place, "counting"));
  const names = models.map(({ name }) => name);
  await untilReady(`127.0.0.1:${port}`, names);
  const caller = unaryLoad(place);
  const measured = async (counts: boolean, model: string): Promise<Stretch> => {
    const before = await node.call("turn", counts);
    const { calls, seconds } = await caller.call("rate", { ...load, port, requests: smallRequests(model) });
    const after = await node.call("seen");
    const counted = after.counted - before.counted;
    if (counted !== (counts ? after.runs - before.runs : 0)) throw new Error(`${counted} runs were counted`);
    return { rate: calls / seconds, cpu: (after.cpu - before.cpu) / calls };
  };
  const figures = await inRounds(rounds, {
    single: () => measured(true, "single"),
    silentSingle: () => measured(false, "single"),
    joined: () => measured(true, "joined"),
    silentJoined: () => measured(false, "joined"),
  });
  const { cpu } = await node.call("seen");
  for (let count = 0; count < scrapes; count++) await scrape(metricsPort);
  const scrapeCpu = ((await node.call("seen")).cpu - cpu) / scrapes;
  return [
    ...rowsOf("no batching", figures.single, figures.silentSingle, scrapeCpu),
    ...rowsOf("batching", figures.joined, figures.silentJoined, scrapeCpu),
    { metric: "a scrape, processor time", unit: "µs", runs: [{ value: scrapeCpu }] },
  ];
}

/** What was seen of the node for a while. */
interface Stretch {
  /** Calls per second. */
  readonly rate: number;
  /** Processor time for each, in microseconds. */
  readonly cpu: number;
}

function rowsOf(kind: string, counting: readonly Stretch[], silent: readonly Stretch[], scrapeCpu: number): Measured[] {
  const metric = `784-512-10, ${concurrency} at once, ${kind}`;
  const baselineOf = "the same node while it counts and measures nothing";
  return [
    {
      metric: `${metric}, counted`,
      unit: "1/s",
      runs: beside(
        counting.map(({ rate }) => rate),
        silent.map(({ rate }) => rate),
      ),
      baselineOf,
      goal: { of: "ratio", kind: "at least", bound: 0.97 },
      ifMissed:
        "what else the machine does in a stretch moves it by more than 3 %: the processor time below is what a call costs",
    },
    {
      metric: `${metric}, counted and scraped every ${scrapeIntervalS} s, processor time per call`,
      unit: "µs",
      runs: beside(
        counting.map(({ cpu, rate }) => cpu + scrapeCpu / (rate * scrapeIntervalS)),
        silent.map(({ cpu }) => cpu),
      ),
      baselineOf,
      goal: { of: "ratio", kind: "at most", bound: 1.03 },
    },
  ];
}

async function scrape(port: number): Promise<void> {
  const response = await fetch(`http://127.0.0.1:${port}/metrics`);
  const text = await response.text();
  if (!text.includes("nv_inference_request_success{")) throw new Error(`the scrape failed: ${response.status} ${text}`);
}
