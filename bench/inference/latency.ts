import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { beside, type Measured } from "../harness/figures.ts";
import { inIdleRounds } from "../harness/idle-rounds.ts";
import type { Workplace } from "../harness/scenario.ts";
import { stallRows, withStalls } from "../harness/stalls.ts";
import { ofEmptyOwn, startEmpty, warmLoad } from "./empty-server.ts";
import { heavyLoop } from "./heavy.ts";
import type { BareLoop } from "./load/bare-session.ts";
import { heavyModel, smallInstances, smallModel } from "./models.ts";
import { bareSession } from "./processes.ts";
import { heavyRequests, inferPath, smallRequests } from "./requests.ts";
import { type RunningNode, startNode } from "./running-node.ts";

const rounds = 5;
const durationMs = 3000;

/** The slowest answers at half of the load that a node can take at most, beside what the runtime alone needs. */
export async function latency(place: Workplace): Promise<Measured[]> {
  const files = { heavy: heavyModel(), small: smallModel() };
  const node = await startNode(place, {
    name: "latency",
    models: [
      { name: "heavy", file: files.heavy },
      {
        name: "small",
        file: files.small,
        settings: { instanceGroups: smallInstances, dynamicBatching: { maxBatchSize: 64 } },
      },
    ],
  });
  const runner = { node, emptyPort: (await startEmpty(place, "listenEmptyOwn")).port, place };
  return [
    ...(await atHalf(runner, {
      metric: "transformer encoder",
      requests: heavyRequests("heavy"),
      connections: 1,
      inFlightPerConnection: 8,
      // A few dozen calls tell nothing of a rate.
      turnMs: durationMs,
      loop: await heavyLoop(place, files.heavy, durationMs),
    })),
    ...(await atHalf(runner, {
      metric: "784-512-10, batching",
      requests: smallRequests("small"),
      connections: 4,
      inFlightPerConnection: 16,
      turnMs: 500,
      loop: await smallLoop(place, files.small),
    })),
  ];
}

/** Where the load comes to. */
interface Runner {
  readonly node: RunningNode;
  readonly emptyPort: number;
  readonly place: Workplace;
}

/** What is called, and how the most that it can take is found. */
interface Subject {
  readonly metric: string;
  readonly requests: readonly string[];
  readonly connections: number;
  readonly inFlightPerConnection: number;
  /** See `HalfLoad`. */
  readonly turnMs: number;
  readonly loop: BareLoop;
}

async function atHalf(
  { node, emptyPort, place }: Runner,
  { metric, requests, connections, inFlightPerConnection, turnMs, loop }: Subject,
): Promise<Measured[]> {
  const caller = await warmLoad(place, requests);
  const bare = bareSession(place);
  const load = { port: node.port, path: inferPath, requests, connections, durationMs };
  const { figures, said } = await inIdleRounds(rounds, {
    bare: () => bare.call("loop", loop),
    node: async () => {
      const figures = await withStalls(node, () => caller.call("half", { ...load, inFlightPerConnection, turnMs }));
      const empty = await caller.call("paced", { ...load, perSecond: figures.perSecond, port: emptyPort });
      return { ...figures, emptyP99Ms: empty.p99Ms };
    },
  });
  await Promise.all([caller.stop(), bare.stop()]);
  const refused = figures.node.reduce((sum, run) => sum + run.refused, 0);
  const fault = figures.node.find(({ behind }) => behind !== undefined)?.behind;
  const halfLoad = `${metric}, half of the load at most`;
  const bareMs = figures.bare.map(({ p50Ms }) => p50Ms);
  return [
    {
      metric: `${halfLoad}, refused`,
      unit: "calls",
      runs: [{ value: refused }],
      goal: { of: "value", kind: "at most", bound: 0 },
    },
    {
      metric: `${halfLoad}, p99`,
      unit: "ms",
      runs: beside(
        figures.node.map(({ p99Ms }) => p99Ms),
        bareMs.map((ms) => 3 * ms + 5),
      ),
      baselineOf: "3 times the runtime alone, and 5 ms",
      goal: { of: "ratio", kind: "at most", bound: 1 },
      ifMissed:
        "the slowest of a hundred: the load shares the cores, and so does whatever else runs. With a small model three threads have two cores, those of the " +
        "load, of the event loop and of the session. At half of the load batches have a third of the rows, and the event loop computes for 70 % of the time and waits " +
        "for a core for another 10 to 15: what takes the core from it for one tick of the scheduler, 4 ms, leaves a backlog that takes 15 to 60 ms to run down, and a " +
        "hundredth of all calls is in one. A load of a higher priority did not change that. Where a run of the encoder of 10 ms takes 60, both threads of its session have cores for four fifths of that and " +
        "compute a fifth as fast, as does at times a process that only counts: the machine takes its cores away and does not say so. What the slowest runs " +
        `of the runtime alone take, what an empty handler needs at the same rate and how late the load itself is are in the rows below; ${said}`,
      fault,
    },
    {
      metric: `${halfLoad}, p99`,
      unit: "ms",
      runs: beside(
        figures.node.map(({ p99Ms }) => p99Ms),
        figures.bare.map(({ p99Ms }) => p99Ms),
      ),
      baselineOf: "the slowest runs of the runtime alone, p99",
      fault,
    },
    {
      metric: `${halfLoad}, p99`,
      unit: "ms",
      runs: beside(
        figures.node.map(({ p99Ms }) => p99Ms),
        figures.node.map(({ emptyP99Ms }) => emptyP99Ms),
      ),
      baselineOf: `${ofEmptyOwn}, at the same rate`,
      fault,
    },
    {
      metric: `${halfLoad}, the load itself is late with sending, p99`,
      unit: "ms",
      runs: figures.node.map(({ sentLateP99Ms }) => ({ value: sentLateP99Ms })),
    },
    {
      metric: `${halfLoad}, p50`,
      unit: "ms",
      runs: beside(
        figures.node.map(({ p50Ms }) => p50Ms),
        bareMs,
      ),
      baselineOf: "the runtime alone",
      fault,
    },
    ...stallRows(halfLoad, figures.node, said),
  ];
}

async function smallLoop({ folder }: Workplace, file: Uint8Array): Promise<BareLoop> {
  const path = join(folder, "small.onnx");
  await writeFile(path, file);
  const input = { name: "x", type: "float32", shape: [1, 784] } as const;
  return { path, intraOpThreads: smallInstances[0]!.intraOpThreads, spinning: false, input, durationMs };
}
