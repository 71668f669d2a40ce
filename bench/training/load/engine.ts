import { modelOf } from "../../../lib/onnx/export.ts";
import { writeModel } from "../../../lib/onnx/model.ts";
import { product } from "../../../lib/onnx/shapes.ts";
import { Random } from "../../../lib/random.ts";
import type { RowSource } from "../../../services/trainer/datasets/row-source.ts";
import { openRows } from "../../../services/trainer/datasets/rows/open-rows.ts";
import { preparedInMemory } from "../../../services/trainer/datasets/rows/prepared-in-memory.ts";
import { nothingMeasured } from "../../../services/trainer/engine/measured.ts";
import { openSteps } from "../../../services/trainer/engine/open-steps.ts";
import { Sessions } from "../../../services/trainer/engine/sessions.ts";
import { shardCount } from "../../../services/trainer/engine/shards/shard-count.ts";
import type { Steps } from "../../../services/trainer/engine/stepper.ts";
import type { TrainingPlan } from "../../../services/trainer/engine/training-plan.ts";
import { initialTensors } from "../../../services/trainer/graph/initialise.ts";
import { targetForm } from "../../../services/trainer/graph/losses/loss.ts";
import { networkOf } from "../../../services/trainer/graph/network-spec.ts";
import { evaluationGraph, trainingGraph } from "../../../services/trainer/graph/training-graph.ts";
import type { BenchNetwork, Drawn } from "../networks.ts";

const seed = 1;
/** Rows that are drawn: enough for the steps of one call of the runtime. */
const batchCount = 64;

let stepper: Steps | undefined;
let rows: RowSource | undefined;

/** Makes the training of a network ready: by Adam, on rows that are drawn. */
export async function prepare(network: BenchNetwork, threadCount: number): Promise<void> {
  const plan = planOf(network, threadCount);
  const built = networkOf(plan.network);
  const graph = trainingGraph(built, plan.loss, plan, seed);
  const carried = graph.state.map(({ name }) => name);
  const sessions = new Sessions({ threadCount, device: "cpu", carried, graph: () => graph.graph });
  const rowCount = batchCount * network.batchRows;
  const data = {
    rowCount,
    featureCount: product(network.input.shape),
    features: drawn(rowCount, network.input),
    targets: drawn(rowCount, network.target),
  };
  const forms = { input: built.input, targets: targetForm(plan.loss, built) };
  rows = openRows(preparedInMemory(data, plan.validationShare, seed).training);
  const [first, stepCount] = [initialTensors(built, seed), Number.MAX_SAFE_INTEGER];
  const threads = shardCount(plan, built, evaluationGraph(built, plan.loss));
  stepper = await openSteps({ tensors: graph, plan, rows, forms, first, stepCount }, built, threads, sessions);
}

/** Takes so many steps, or a few more where the last call of the runtime takes several; tells what each took. */
export async function steps(count: number) {
  const [startedMs, used, first] = [performance.now(), process.cpuUsage(), stepper!.stepsDone];
  while (stepper!.stepsDone - first < count) await stepper!.advance(rows!.inOrder(), 1, nothingMeasured);
  const done = stepper!.stepsDone - first;
  const { user, system } = process.cpuUsage(used);
  return { seconds: (performance.now() - startedMs) / 1000 / done, cpuSeconds: (user + system) / 1e6 / done };
}

/** How long it takes to make a network's training graph as a file, in milliseconds. */
export function buildMs(network: BenchNetwork): number {
  const startedMs = performance.now();
  const plan = planOf(network, 1);
  writeModel(modelOf(trainingGraph(networkOf(plan.network), plan.loss, plan, seed).graph));
  return performance.now() - startedMs;
}

function planOf({ spec, loss, batchRows }: BenchNetwork, threadCount: number): TrainingPlan {
  return {
    network: spec,
    loss: { kind: loss },
    optimizer: { kind: "adam", learningRate: 0.001 },
    epochCount: 1,
    batchRows,
    seed,
    validationShare: 0,
    threadCount,
  };
}

function drawn(rowCount: number, { shape, classes }: Drawn): Float32Array | Int32Array {
  const random = new Random(seed, "bench");
  const length = rowCount * product(shape);
  return classes === 0
    ? Float32Array.from({ length }, () => random.uniform())
    : Int32Array.from({ length }, () => Math.floor(random.uniform() * classes));
}
