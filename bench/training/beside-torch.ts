import { availableParallelism } from "node:os";
import { messageOf } from "../../lib/errors.ts";
import { BenchProcess } from "../harness/bench-process.ts";
import { beside, inRounds, type Measured } from "../harness/figures.ts";
import { residentOf } from "../harness/process-figures.ts";
import type { Workplace } from "../harness/scenario.ts";
import type { BenchNetwork } from "./networks.ts";
import { pythonWithTorch, type StepCost, TorchPeer } from "./torch-peer.ts";

const rounds = 9;
const memoryShareMax = 1.3;

/** The process that trains here. */
export const engine = (place: Workplace) =>
  new BenchProcess<typeof import("./load/engine.ts")>(new URL("load/engine", import.meta.url), place);

/** What the rounds of a network have cost here and in PyTorch. */
export interface Costs {
  readonly engine: readonly StepCost[];
  readonly eager: readonly StepCost[];
}

/**
 * The steps of a network per second beside PyTorch's, eager and compiled, with as many threads: all cores. Processor time is told beside
 * it, since a machine that does other work makes threads wait that wait for each other.
 */
export async function besideTorch(
  place: Workplace,
  network: BenchNetwork,
  ratioMin?: number,
): Promise<{ readonly rows: readonly Measured[]; readonly costs: Costs }> {
  const threads = threadsOf(place);
  const python = await pythonWithTorch(place);
  const ours = engine(place);
  await ours.call("prepare", network, threads);
  const peer = (mode: "eager" | "compiled") => new TorchPeer(place, python, network, threads, mode);
  const eager = peer("eager");
  const compiled = await warm(place, peer("compiled"));
  const costs = await inRounds(rounds, {
    engine: () => ours.call("steps", network.roundSteps),
    eager: () => eager.steps(network.roundSteps),
    compiled: async () => compiled?.steps(network.roundSteps),
  });
  const memory = [await residentOf(ours.pid), await residentOf(eager.pid)].map(({ peakBytes }) => peakBytes / 2 ** 20);
  await Promise.all([ours.stop(), eager.stop(), compiled?.stop()]);
  const others = costs.compiled.filter((cost) => cost !== undefined);
  const rates = (runs: readonly StepCost[]) => runs.map(({ seconds }) => 1 / seconds);
  const speed = { metric: `${network.name}, ${threads} threads`, unit: "steps/s" };
  const goal =
    ratioMin === undefined
      ? {}
      : { goal: { of: "ratio", kind: "at least", bound: ratioMin } as const, ifMissed: network.ifSlow };
  const rows: Measured[] = [
    { ...speed, runs: beside(rates(costs.engine), rates(costs.eager)), baselineOf: "PyTorch, eager", ...goal },
    ...(others.length === 0
      ? []
      : [{ ...speed, runs: beside(rates(costs.engine), rates(others)), baselineOf: "PyTorch, compiled" }]),
    {
      metric: `${network.name}, processor time of a step`,
      unit: "ms",
      runs: beside(
        costs.engine.map(({ cpuSeconds }) => 1000 * cpuSeconds),
        costs.eager.map(({ cpuSeconds }) => 1000 * cpuSeconds),
      ),
      baselineOf: "PyTorch, eager",
    },
    {
      metric: `${network.name}, peak memory`,
      unit: "MiB",
      runs: beside([memory[0]], [memory[1]]),
      baselineOf: "PyTorch, eager",
      goal: { of: "ratio", kind: "at most", bound: memoryShareMax },
    },
  ];
  return { rows, costs };
}

/** Threads inside one operator: those of AMAAS_BENCH_THREADS, or all cores. One is what tells most where the machine does other work. */
function threadsOf({ env }: Workplace): number {
  const threads = Number(env.AMAAS_BENCH_THREADS ?? availableParallelism());
  if (Number.isInteger(threads) && threads >= 1) return threads;
  throw new Error(`AMAAS_BENCH_THREADS is ${env.AMAAS_BENCH_THREADS}; needed: a whole number of at least 1`);
}

/** The peer, or undefined where PyTorch cannot compile here: it needs a compiler of C++. */
async function warm(place: Workplace, peer: TorchPeer): Promise<TorchPeer | undefined> {
  try {
    await peer.steps(1);
    return peer;
  } catch (failure) {
    place.tell(`PyTorch does not compile the network: ${messageOf(failure)}`);
    return undefined;
  }
}
