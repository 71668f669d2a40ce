import { writeFile } from "node:fs/promises";
import { availableParallelism } from "node:os";
import { join } from "node:path";
import { beside, inRounds, type Measured } from "../harness/figures.ts";
import type { Workplace } from "../harness/scenario.ts";
import type { PacedRate } from "../harness/unary-load.ts";
import { heavyLoop } from "./heavy.ts";
import type { BareLoop } from "./load/bare-session.ts";
import { heavyModel, smallModel } from "./models.ts";
import { bareSession, unaryLoad } from "./processes.ts";
import { heavyRequests, inferPath, smallRequests } from "./requests.ts";
import { startNode } from "./running-node.ts";

const rounds = 5;
const durationMs = 3000;

/** The slowest answers at half of the load that a node can take at most, beside what the runtime alone needs. */
export async function latency(place: Workplace): Promise<Measured[]> {
  const files = { heavy: heavyModel(), small: smallModel() };
  const node = await startNode(place, {
    name: "latency",
    models: [
      { name: "heavy", file: files.heavy },
      { name: "small", file: files.small, settings: { dynamicBatching: { maxBatchSize: 64 } } },
    ],
  });
  const runner = { port: node.port, place };
  return [
    ...(await atHalf(runner, {
      metric: "transformer encoder",
      requests: heavyRequests("heavy"),
      connections: 1,
      inFlightPerConnection: 8,
      loop: await heavyLoop(place, files.heavy, durationMs),
    })),
    ...(await atHalf(runner, {
      metric: "784-512-10, batching",
      requests: smallRequests("small"),
      connections: 4,
      inFlightPerConnection: 16,
      loop: await smallLoop(place, files.small),
    })),
  ];
}

/** What is called, and how the most that it can take is found. */
interface Subject {
  readonly metric: string;
  readonly requests: readonly string[];
  readonly connections: number;
  readonly inFlightPerConnection: number;
  readonly loop: BareLoop;
}

async function atHalf(
  { port, place }: { readonly port: number; readonly place: Workplace },
  { metric, requests, connections, inFlightPerConnection, loop }: Subject,
): Promise<Measured[]> {
  const caller = unaryLoad(place);
  const bare = bareSession(place);
  const load = { port, path: inferPath, requests, connections, durationMs };
  const figures = await inRounds(rounds, {
    bare: async (): Promise<PacedRate> => ({ ...(await bare.call("loop", loop)), refused: 0 }),
    node: async () => {
      const most = await caller.call("rate", { ...load, inFlightPerConnection });
      return caller.call("paced", { ...load, perSecond: most.calls / most.seconds / 2 });
    },
  });
  await Promise.all([caller.stop(), bare.stop()]);
  const refused = figures.node.reduce((sum, run) => sum + run.refused, 0);
  const fault = figures.node.find(({ behind }) => behind !== undefined)?.behind;
  const bareMs = figures.bare.map(({ p50Ms }) => p50Ms);
  return [
    {
      metric: `${metric}, half of the load at most, refused`,
      unit: "calls",
      runs: [{ value: refused }],
      goal: { of: "value", kind: "at most", bound: 0 },
    },
    {
      metric: `${metric}, half of the load at most, p99`,
      unit: "ms",
      runs: beside(
        figures.node.map(({ p99Ms }) => p99Ms),
        bareMs.map((ms) => 3 * ms + 5),
      ),
      baselineOf: "3 times the runtime alone, and 5 ms",
      goal: { of: "ratio", kind: "at most", bound: 1 },
      fault,
    },
    {
      metric: `${metric}, half of the load at most, p50`,
      unit: "ms",
      runs: beside(
        figures.node.map(({ p50Ms }) => p50Ms),
        bareMs,
      ),
      baselineOf: "the runtime alone",
      fault,
    },
  ];
}

async function smallLoop({ folder }: Workplace, file: Uint8Array): Promise<BareLoop> {
  const path = join(folder, "small.onnx");
  await writeFile(path, file);
  const input = { name: "x", type: "float32", shape: [1, 784] } as const;
  return { path, intraOpThreads: availableParallelism(), spinning: false, input, durationMs };
}
