import { writeFile } from "node:fs/promises";
import { availableParallelism } from "node:os";
import { join } from "node:path";
import { beside, type Measured } from "../harness/figures.ts";
import { inIdleRounds } from "../harness/idle-rounds.ts";
import type { Workplace } from "../harness/scenario.ts";
import { stallRows, withStalls } from "../harness/stalls.ts";
import { warmLoad } from "./empty-server.ts";
import type { BareLoop } from "./load/bare-session.ts";
import { heavyModel, heavyTensors } from "./models.ts";
import { bareSession } from "./processes.ts";
import { heavyRequests, inferPath } from "./requests.ts";
import { type RunningNode, startNode } from "./running-node.ts";

/** What a node may give sessions. */
const cores = availableParallelism();

const rounds = 5;
const durationMs = 3000;
const concurrency = 8;

/**
 * A model that takes about 10 ms, called by 8 at once, beside the runtime alone: one session with all threads, sessions of one thread, and one
 * session that leaves a core to the event loop and to the load.
 */
export async function heavy(place: Workplace): Promise<Measured[]> {
  const file = heavyModel();
  const node = await startNode(place, { name: "heavy", models: [{ name: "heavy", file }] });
  const nodeOf = (name: string, count: number, intraOpThreads: number) =>
    startNode(place, {
      name,
      models: [{ name: "heavy", file, settings: { instanceGroups: [{ count, intraOpThreads }] } }],
    });
  const severalNode = await nodeOf("several", cores, 1);
  const fewerThreads = Math.max(1, cores - 1);
  const fewerNode = await nodeOf("fewer", 1, fewerThreads);
  const bare = bareSession(place);
  const loop = await heavyLoop(place, file, durationMs);
  const loops = Array.from({ length: cores }, () => bareSession(place));
  const load = { path: inferPath, requests: heavyRequests("heavy"), durationMs };
  const caller = await warmLoad(place, load.requests);
  const called = (node: RunningNode) =>
    withStalls(node, () =>
      caller.call("rate", { ...load, port: node.port, connections: 1, inFlightPerConnection: concurrency }),
    );
  const { figures, said } = await inIdleRounds(rounds, {
    bare: () => bare.call("loop", loop),
    spinning: () => bare.call("loop", { ...loop, spinning: true }),
    node: () => called(node),
    loops: async () => {
      const each = await Promise.all(loops.map((bare) => bare.call("loop", { ...loop, intraOpThreads: 1 })));
      const [calls, seconds] = [each.map(({ calls }) => calls), each.map(({ seconds }) => seconds)];
      return { calls: calls.reduce((sum, of) => sum + of, 0), seconds: Math.max(...seconds) };
    },
    severalNode: () => called(severalNode),
    fewerSpinning: () => bare.call("loop", { ...loop, intraOpThreads: fewerThreads, spinning: true }),
    fewerNode: () => called(fewerNode),
  });
  const rates = (runs: readonly { readonly calls: number; readonly seconds: number }[]) =>
    runs.map(({ calls, seconds }) => calls / seconds);
  const metric = `transformer encoder, batch 1, ${concurrency} at once`;
  const several = `${metric}, a session of one thread for each core`;
  const fewer = `${metric}, a session that leaves one core free`;
  const row = {
    metric,
    unit: "1/s",
    goal: { of: "ratio", kind: "at least", bound: 0.92 },
    ifMissed:
      "two cores carry the load and the event loop too: a call costs them a millisecond of processor time though V8 has compiled what it runs, since " +
      "the sessions leave nothing of it in the caches, and while a thread of the session " +
      "has no core the other one waits for it, so that runs take 5 to 10 % longer. From one run to the next pass 0.1 ms, and up to 1 ms where " +
      `the event loop has the core of the thread just then; ${said}`,
  } as const;
  const baselineOf = "a loop over onnxruntime-node with as many threads";
  return [
    { ...row, runs: beside(rates(figures.node), rates(figures.bare)), baselineOf: `${baselineOf} that do not spin` },
    { ...row, runs: beside(rates(figures.node), rates(figures.spinning)), baselineOf: `${baselineOf} that spin` },
    {
      ...row,
      metric: several,
      runs: beside(rates(figures.severalNode), rates(figures.loops)),
      baselineOf: "as many loops over onnxruntime-node of one thread at once",
      ifMissed:
        "the loops have the cores for themselves, and their caches: of 26.6 ms of processor time that a call cost on two cores, 1.2 went to the event loop " +
        `and V8's own threads, 0.3 to the load's process, and a session needed up to 1 more than a loop; ${said}`,
    },
    {
      ...row,
      metric: several,
      runs: beside(rates(figures.severalNode), rates(figures.spinning)),
      baselineOf: `${baselineOf} that spin`,
    },
    {
      ...row,
      metric: fewer,
      runs: beside(rates(figures.fewerNode), rates(figures.fewerSpinning)),
      baselineOf: `${baselineOf} that spin`,
    },
    {
      metric: "transformer encoder, the runtime alone",
      unit: "ms",
      runs: figures.bare.map(({ p50Ms }) => ({ value: p50Ms })),
    },
    ...stallRows(metric, figures.node, said),
    ...stallRows(several, figures.severalNode, said),
    ...stallRows(fewer, figures.fewerNode, said),
  ];
}

/** The loop over the runtime with the threads that a node gives a session. */
export async function heavyLoop({ folder }: Workplace, file: Uint8Array, durationMs: number): Promise<BareLoop> {
  const path = join(folder, "heavy.onnx");
  await writeFile(path, file);
  const input = { name: "ids", type: "int64", shape: [1, heavyTensors.tokens] } as const;
  return { path, intraOpThreads: cores, spinning: false, input, durationMs };
}
