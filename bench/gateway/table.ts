import { setTimeout as passed } from "node:timers/promises";
import { BenchProcess } from "../harness/bench-process.ts";
import { inRounds, type Measured } from "../harness/figures.ts";
import type { Workplace } from "../harness/scenario.ts";
import { withStalls } from "../harness/stalls.ts";
import { largeModel, largeNodes, largeTable } from "./large-table.ts";
import { startGateway } from "./running-gateway.ts";

const rounds = 9;
const changesPerSecond = 50;
const seconds = 5;

/** What it costs to route by a very large table, and to change it. */
export async function table(place: Workplace): Promise<Measured[]> {
  const { models, versions, nodes } = largeTable;
  const size = `${models} models, ${versions} versions each, ${nodes} nodes`;
  const router = new BenchProcess<typeof import("./load/router.ts")>(new URL("load/router", import.meta.url), place);
  await router.call("fill");
  const alone = await inRounds(rounds, {
    decision: () => router.call("decisionMicros", 200_000),
    change: () => router.call("changeMillis", 500),
  });
  await router.stop();
  const all = Array.from({ length: models }, (_, index) => largeModel(index));
  const gateway = await startGateway(place, all, { nodes: largeNodes() });
  const longestMs = async (act: () => Promise<void>) =>
    (await withStalls(gateway, async () => ({ done: await act() }))).longestMs;
  const pauses = await inRounds(rounds, {
    quiet: () => longestMs(() => passed(seconds * 1000)),
    changing: (round) =>
      longestMs(async () => {
        for (let count = 0; count < changesPerSecond * seconds; count++) {
          gateway.push({ changed: largeModel((round * 997 + count * 31) % models, 1 + (count % versions)) });
          await passed(1000 / changesPerSecond);
        }
      }),
  });
  return [
    {
      metric: `processor time from the bytes of a request to a node, ${size}`,
      unit: "µs",
      runs: alone.decision.map((value) => ({ value })),
      goal: { of: "value", kind: "at most", bound: 5 },
      ifMissed: "the models are drawn by chance: it is mostly waiting for memory that no cache has",
    },
    {
      metric: `the longest of 500 changes of that table`,
      unit: "ms",
      runs: alone.change.map((value) => ({ value })),
      goal: { of: "value", kind: "at most", bound: 10 },
    },
    {
      metric: `what the longest delay of the event loop was not above while ${changesPerSecond} changes a second arrive`,
      unit: "ms",
      runs: pauses.changing.map((value, round) => ({ value, baseline: pauses.quiet[round]! })),
      baselineOf: "the same time without changes",
    },
  ];
}
