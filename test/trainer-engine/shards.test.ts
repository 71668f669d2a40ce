import { expect } from "chai";
import { openRows } from "../../services/trainer/datasets/rows/open-rows.ts";
import { preparedInMemory } from "../../services/trainer/datasets/rows/prepared-in-memory.ts";
import { nothingMeasured } from "../../services/trainer/engine/measured.ts";
import { openSteps } from "../../services/trainer/engine/open-steps.ts";
import { Sessions } from "../../services/trainer/engine/sessions.ts";
import { shardCount } from "../../services/trainer/engine/shards/shard-count.ts";
import { learnedRowCount, type StepperParts } from "../../services/trainer/engine/stepper.ts";
import type { TrainingPlan } from "../../services/trainer/engine/training-plan.ts";
import { initialTensors } from "../../services/trainer/graph/initialise.ts";
import { targetForm } from "../../services/trainer/graph/losses/loss.ts";
import { networkOf } from "../../services/trainer/graph/network-spec.ts";
import { evaluationGraph, trainingGraph } from "../../services/trainer/graph/training-graph.ts";
import { clusters } from "./clusters.ts";

const data = clusters(75);
const plan = {
  network: {
    kind: "layers",
    inputShape: [6],
    layers: [{ kind: "linear", outputSize: 16 }, { kind: "relu" }, { kind: "linear", outputSize: 3 }],
  },
  loss: { kind: "cross_entropy" },
  optimizer: { kind: "adam", learningRate: 0.01 },
  epochCount: 3,
  batchRows: 16,
  seed: 3,
  validationShare: 0,
  threadCount: 2,
} as const satisfies TrainingPlan;

/** What is summed, bounded or kept in other ways by several threads. */
const plans: Readonly<Record<string, TrainingPlan>> = {
  adam: plan,
  "gradients bounded by their length": { ...plan, clip: { norm: 0.05 }, optimizer: { kind: "sgd", learningRate: 0.5 } },
  "gradients bounded by value, and averages": { ...plan, clip: { value: 0.01 }, averageDecay: 0.9 },
  "groups, a schedule and a frozen parameter": {
    ...plan,
    groups: [{ parameters: "layers.2.*", rateFactor: 0.1 }],
    frozen: ["layers.0.bias"],
    schedule: { kind: "cosine", warmUpSteps: 2 },
  },
  "a last batch with fewer rows than threads": { ...plan, batchRows: 37 },
};

describe("steps that threads share", function () {
  this.timeout(60_000);

  for (const [name, given] of Object.entries(plans)) {
    it(`give the losses, weights and state of one thread: ${name}`, async () => {
      const alone = await trained(given, 1);
      for (const threads of name === "adam" ? [2, 3] : [3]) {
        const shared = await trained(given, threads);
        expect(shared.sum.correctCount).to.be.closeTo(alone.sum.correctCount!, 2);
        expect(shared.sum.lossSum).to.be.closeTo(alone.sum.lossSum, 1e-3 * alone.sum.lossSum);
        expect(shared.state).to.have.all.keys(Object.keys(alone.state));
        for (const [tensor, elements] of Object.entries(alone.state)) expectClose(shared.state[tensor]!, elements);
        for (const [tensor, elements] of Object.entries(alone.results)) expectClose(shared.results[tensor]!, elements);
      }
    });
  }

  it("give the same weights to the bit, run after run, also where they drop and where they go on from a state", async () => {
    const { layers } = plan.network;
    const dropping: TrainingPlan = {
      ...plan,
      network: { ...plan.network, layers: [layers[0], { kind: "dropout", ratio: 0.5 }, ...layers.slice(1)] },
    };
    const whole = await trained(dropping, 2);
    expect((await trained(dropping, 2)).state).to.deep.equal(whole.state);
    const half = await trained({ ...dropping, epochCount: 1 }, 2, 3);
    const rest = await trained(dropping, 2, 3, { stepsDone: 5, tensors: new Map(Object.entries(half.state)) });
    expect(rest.state).to.deep.equal(whole.state);
  });

  it("end with the loss that is not finite, its step and its batch", async () => {
    const diverging: TrainingPlan = { ...plan, loss: { kind: "mse" }, optimizer: { kind: "sgd", learningRate: 1e30 } };
    const numbers = { ...data, targets: Float32Array.from({ length: 225 }, (_, index) => index) };
    const failure = await trained(diverging, 2, 3, undefined, numbers).catch((thrown: unknown) => thrown);
    expect(failure).to.have.property("reason", "TRAINING_DIVERGED");
    expect(failure).to.have.deep.property("metadata", { epoch: "1", step: "2", batch: "2" });
  });
});

describe("the rows of a batch are shared by threads", () => {
  const image = { inputShape: [1, 28, 28], outputSize: 10 };
  const conv = { ...plan, network: { kind: "cnn", ...image }, batchRows: 256 } as const satisfies TrainingPlan;
  const countOf = (given: TrainingPlan) => {
    const network = networkOf(given.network);
    return shardCount(given, network, evaluationGraph(network, given.loss));
  };

  it("where convolutions make far more elements than there are parameters", () => {
    expect(countOf(conv)).to.equal(2);
    expect(countOf({ ...conv, threadCount: 3 })).to.equal(3);
    expect(countOf({ ...conv, threadCount: 64 }), "parameters to move").to.be.below(64);
    expect(countOf(plan), "a small network").to.equal(1);
    const dense = { kind: "mlp", inputShape: [1024], hiddenSizes: [4096], outputSize: 1024 } as const;
    expect(countOf({ ...plan, network: dense, batchRows: 4096, loss: { kind: "mse" } }), "a dense network").to.equal(1);
  });

  it("but not where all of the network is products of matrices, whose operators threads share", () => {
    const gpt = { kind: "gpt", tokenCount: 96, context: 128, width: 64, layerCount: 2, headCount: 4 } as const;
    expect(countOf({ ...conv, network: gpt })).to.equal(1);
  });

  it("but not where a whole batch is needed at once, nor on another device", () => {
    for (const [why, given] of Object.entries({
      "one thread": { ...conv, threadCount: 1 },
      parts: { ...conv, accumulatedParts: 2 },
      "class weights": { ...conv, loss: { kind: "cross_entropy", classWeights: Array(10).fill(1) } },
      "an ignored class": { ...conv, loss: { kind: "cross_entropy", ignoreIndex: 3 } },
      "a device": { ...conv, device: "webgpu" },
      "batch statistics": {
        ...conv,
        network: { kind: "resnet18", inputShape: [3, 32, 32], outputSize: 10 },
      },
    } satisfies Record<string, TrainingPlan>)) {
      expect(countOf(given), why).to.equal(1);
    }
  });
});

async function trained(
  given: TrainingPlan,
  threads: number,
  epochCount = given.epochCount,
  resumed?: StepperParts["resumed"],
  table: typeof data | (Omit<typeof data, "targets"> & { readonly targets: Float32Array }) = data,
) {
  const network = networkOf(given.network);
  const graph = trainingGraph(network, given.loss, given, given.seed);
  const carried = graph.state.map(({ name }) => name);
  const sessions = new Sessions({ threadCount: 1, device: "cpu", carried, graph: () => graph.graph });
  const rows = openRows(preparedInMemory(table, 0, given.seed).training);
  const forms = { input: network.input, targets: targetForm(given.loss, network) };
  const epochSteps = Math.ceil(rows.rowCount / given.batchRows);
  const first = initialTensors(network, given.seed);
  const parts = { tensors: graph, plan: given, rows, forms, first, stepCount: epochCount * epochSteps, resumed };
  const steps = await openSteps(parts, network, threads, sessions);
  try {
    let sum = nothingMeasured;
    for (let epoch = 1 + steps.stepsDone / epochSteps; epoch <= given.epochCount; epoch++) {
      const reader = rows.shuffled(given.seed, epoch, 0);
      sum = nothingMeasured;
      while (sum.rowCount < learnedRowCount(given, rows.rowCount)) sum = await steps.advance(reader, epoch, sum);
      reader.close();
    }
    const numbers = async (tensors: Awaited<ReturnType<typeof steps.state>>) =>
      Object.fromEntries(
        Object.entries(tensors).map(([name, { elements }]) => [name, elements.slice() as Float32Array]),
      );
    return { sum, state: await numbers(await steps.state()), results: await numbers(await steps.results()) };
  } finally {
    await steps.release();
    await sessions.release();
  }
}

function expectClose(seen: Float32Array, needed: Float32Array): void {
  const largest = needed.reduce((most, element) => Math.max(most, Math.abs(element)), 0);
  const error = needed.reduce((most, element, index) => Math.max(most, Math.abs(element - seen[index]!)), 0);
  expect(error).to.be.at.most(1e-3 * largest + 1e-9);
}
