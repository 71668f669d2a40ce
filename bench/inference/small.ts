import { beside, type Measured } from "../harness/figures.ts";
import { inIdleRounds } from "../harness/idle-rounds.ts";
import { cpuSeconds } from "../harness/process-figures.ts";
import type { Workplace } from "../harness/scenario.ts";
import { stallRows, withStalls } from "../harness/stalls.ts";
import { ofEmpty, startEmpty } from "./empty-server.ts";
import { smallInstances, smallModel } from "./models.ts";
import { unaryLoad } from "./processes.ts";
import { inferPath, smallRequests } from "./requests.ts";
import { startNode } from "./running-node.ts";

const rounds = 7;
const load = { path: inferPath, connections: 4, inFlightPerConnection: 16, durationMs: 2000 };
const concurrency = load.connections * load.inFlightPerConnection;

/** A small model called by 64 at once, with and without batching, and beside grpc-js alone with the same bytes. */
export async function small(place: Workplace): Promise<Measured[]> {
  const file = smallModel();
  const models = [
    { name: "single", file, settings: { instanceGroups: smallInstances } },
    { name: "joined", file, settings: { instanceGroups: smallInstances, dynamicBatching: { maxBatchSize: 64 } } },
  ];
  const node = await startNode(place, { name: "small", models });
  const empty = await startEmpty(place, "listenEmpty");
  const caller = unaryLoad(place);
  const measured =
    ({ pid, port }: { readonly pid: number; readonly port: number }, model: string) =>
    async () => {
      const before = await cpuSeconds(pid);
      const answered = await caller.call("rate", { ...load, port, requests: smallRequests(model) });
      const cpu = (((await cpuSeconds(pid)) - before) / answered.calls) * 1e6;
      return { rate: answered.calls / answered.seconds, cpu };
    };
  const { figures, said } = await inIdleRounds(rounds, {
    empty: measured(empty, "joined"),
    single: measured(node, "single"),
    joined: () => withStalls(node, measured(node, "joined")),
  });
  const side = (subject: keyof typeof figures, baseline: keyof typeof figures, figure: "rate" | "cpu" = "rate") =>
    beside(
      figures[subject].map((run) => run[figure]),
      figures[baseline].map((run) => run[figure]),
    );
  const metric = `784-512-10, ${concurrency} at once`;
  return [
    {
      metric: `${metric}, batching`,
      unit: "1/s",
      runs: side("joined", "single"),
      baselineOf: "without batching",
      goal: { of: "ratio", kind: "at least", bound: 2.5 },
    },
    {
      metric: `${metric}, batching`,
      unit: "1/s",
      runs: side("joined", "empty"),
      baselineOf: ofEmpty,
      goal: { of: "ratio", kind: "at least", bound: 0.8 },
    },
    {
      metric: `${metric}, batching, processor time per call`,
      unit: "µs",
      runs: side("joined", "empty", "cpu"),
      baselineOf: ofEmpty,
    },
    {
      metric: `${metric}, no batching`,
      unit: "1/s",
      runs: side("single", "empty"),
      baselineOf: ofEmpty,
    },
    ...stallRows(`${metric}, batching`, figures.joined, said),
  ];
}
