import { expect } from "chai";
import { modelOf } from "../../lib/onnx/export.ts";
import { writeModel } from "../../lib/onnx/model.ts";
import { pruned } from "../../lib/onnx/pruned.ts";
import { product } from "../../lib/onnx/shapes.ts";
import { Random } from "../../lib/random.ts";
import { openSession, type RuntimeTensor, type RuntimeTensors } from "../../services/trainer/engine/runtime.ts";
import { initialTensors } from "../../services/trainer/graph/initialise.ts";
import type { Layer } from "../../services/trainer/graph/layers/layer.ts";
import { type Loss, targetForm } from "../../services/trainer/graph/losses/loss.ts";
import { networkOf } from "../../services/trainer/graph/network-spec.ts";
import { type Optimizer, stepScalars } from "../../services/trainer/graph/optimizers/optimizer.ts";
import { evaluationGraph, trainingGraph } from "../../services/trainer/graph/training-graph.ts";
import { widestRow } from "../../services/trainer/graph/widest-row.ts";

const rowCount = 5;

describe("the training graph", () => {
  const twoLayers: Layer[] = [
    { kind: "linear", inputSize: 3, outputSize: 4 },
    { kind: "tanh" },
    { kind: "linear", inputSize: 4, outputSize: 2 },
    { kind: "sigmoid" },
  ];

  it("holds no node that nothing needs", () => {
    const network = networkOf({
      kind: "layers",
      layers: [...twoLayers, { kind: "linear", inputSize: 2, outputSize: 3 }, { kind: "softmax" }],
    });
    const { graph } = trainingGraph(
      network,
      { kind: "cross_entropy" },
      {
        optimizer: { kind: "sgd", learningRate: 0.1 },
      },
      1,
    );
    expect(pruned(graph)).to.deep.equal(graph);
    const evaluated = evaluationGraph(network, { kind: "cross_entropy" });
    expect(pruned(evaluated)).to.deep.equal(evaluated);
    expect(evaluated.nodes.map(({ operator }) => operator)).to.not.include("Softmax");
  });

  it("tells how much its widest value takes for each row", () => {
    const gpt = { kind: "gpt", tokenCount: 9, context: 32, width: 8, layerCount: 1, headCount: 4 } as const;
    expect(widestRow(evaluationGraph(networkOf(gpt), { kind: "next_token" }))).to.equal(4 * 32 * 32);
    const resnet = { kind: "resnet18", inputShape: [3, 32, 32], outputSize: 10 } as const;
    expect(widestRow(evaluationGraph(networkOf(resnet), { kind: "cross_entropy" }))).to.equal(64 * 32 * 32);
  });

  it("gives the same bits for several steps in one call as for one at a time", async () => {
    const optimizer: Optimizer = { kind: "adam", learningRate: 0.01 };
    const together = await trained(twoLayers, { kind: "mse" }, optimizer, [6]);
    const apart = await trained(twoLayers, { kind: "mse" }, optimizer, [1, 2, 3]);
    expect(apart.losses).to.deep.equal(together.losses);
    expect(apart.state).to.deep.equal(together.state);
  });

  const optimizers: Record<string, Optimizer> = {
    "stochastic gradient descent": { kind: "sgd", learningRate: 0.05 },
    "stochastic gradient descent with momentum": { kind: "sgd", learningRate: 0.05, momentum: 0.9 },
    Adam: { kind: "adam", learningRate: 0.05 },
    "Adam with its own constants": { kind: "adam", learningRate: 0.05, beta1: 0.5, beta2: 0.9, epsilon: 1e-3 },
  };
  for (const [name, optimizer] of Object.entries(optimizers)) {
    it(`moves weights by the formula of ${name}`, async () => {
      const { losses, state } = await trained(
        [{ kind: "linear", inputSize: 1, outputSize: 1 }],
        { kind: "mse" },
        optimizer,
        [20],
      );
      const expected = lineFitted(optimizer, 20);
      expect(losses[19]).to.be.closeTo(expected.loss, 1e-5);
      expect(elements(state["layers.0.weight"])[0]).to.be.closeTo(expected.weight, 1e-5);
      expect(elements(state["layers.0.bias"])[0]).to.be.closeTo(expected.bias, 1e-5);
    });
  }

  for (const ending of [[], [{ kind: "softmax" }]] satisfies Layer[][]) {
    const name = ending.length > 0 ? "with a softmax at its end" : "that ends in scores";
    it(`takes the cross-entropy of a network ${name} from its scores`, async () => {
      const layers: Layer[] = [{ kind: "linear", inputSize: 3, outputSize: 4 }, ...ending];
      const network = networkOf({ kind: "layers", layers });
      const session = await openSession(writeModel(modelOf(evaluationGraph(network, { kind: "cross_entropy" }))), 1);
      // Scores a thousand apart: a softmax in single precision gives 0, whose logarithm is infinite.
      const weight = fp32([4, 3], [1000, 0, 0, 0, 1000, 0, 0, 0, 1000, 0, 0, 0]);
      const inputs = {
        features: fp32([2, 3], [1, 0, 0, 0.001, 0, 0.002]),
        targets: { dataType: "INT32", shape: [2], elements: Int32Array.from([1, 2]) } as const,
        "layers.0.weight": weight,
        "layers.0.bias": fp32([4], [0, 0, 0, 0]),
      };
      const { loss, scores } = await session.run(inputs);
      await session.release();
      const second = Math.log(Math.exp(1) + 1 + Math.exp(2) + 1) - 2;
      expect(loss.elements[0]).to.be.closeTo((1000 + second) / 2, 1e-3);
      expect([...scores.elements].slice(0, 4)).to.deep.equal([1000, 0, 0, 0]);
    });
  }
});

interface Trained {
  readonly losses: number[];
  readonly state: RuntimeTensors;
}

/** Steps over the same rows, in calls of the given numbers of steps. */
async function trained(layers: Layer[], loss: Loss, optimizer: Optimizer, calls: number[]): Promise<Trained> {
  const network = networkOf({ kind: "layers", layers });
  const { graph, state: tensors, scalarNames } = trainingGraph(network, loss, { optimizer }, 1);
  const session = await openSession(writeModel(modelOf(graph)), 1);
  const weights = initialTensors(network, 1);
  const zeros = (shape: readonly number[]) => new Float32Array(shape.reduce((a, b) => a * b, 1));
  let state: RuntimeTensors = Object.fromEntries(
    tensors.map(({ name, shape }) => [name, fp32(shape, weights.get(name) ?? zeros(shape))]),
  );
  const losses: number[] = [];
  for (const steps of calls) {
    const scalars = scalarNames.map((name) => {
      const values = Array.from(
        { length: steps },
        (_, index) => stepScalars(optimizer, losses.length + index + 1)[name],
      );
      return [name, fp32([steps], values)];
    });
    const repeated = (row: readonly number[], numbers: number[]) =>
      fp32([steps, rowCount, ...row], Array.from({ length: steps }, () => numbers).flat());
    const outputs = await session.run({
      features: repeated(network.input.rowShape, drawn("features", rowCount * product(network.input.rowShape))),
      targets: repeated(targetForm(loss, network).rowShape, drawn("targets", rowCount * product(network.outputShape))),
      steps_before: { dataType: "INT32", shape: [], elements: Int32Array.of(losses.length) },
      ...Object.fromEntries(scalars),
      ...state,
    });
    losses.push(...elements(outputs.loss));
    state = Object.fromEntries(tensors.map(({ name }) => [name, outputs[`next.${name}`]]));
  }
  await session.release();
  return { losses, state };
}

/** The same as {@link trained} for a line `weight·x + bias`, straight from the papers' formulas in double precision. */
function lineFitted(optimizer: Optimizer, steps: number): { loss: number; weight: number; bias: number } {
  const weights = initialTensors(
    networkOf({ kind: "layers", layers: [{ kind: "linear", inputSize: 1, outputSize: 1 }] }),
    1,
  );
  let values = [weights.get("layers.0.weight")![0], weights.get("layers.0.bias")![0]];
  const [xs, ys] = [drawn("features", rowCount), drawn("targets", rowCount)];
  const moments = values.map(() => ({ mean: 0, square: 0 }));
  let loss = Number.NaN;
  for (let step = 1; step <= steps; step++) {
    const errors = xs.map((x, row) => values[0] * x + values[1] - ys[row]);
    loss = errors.reduce((sum, error) => sum + error ** 2, 0) / rowCount;
    const slopes = [
      errors.reduce((sum, error, row) => sum + 2 * error * xs[row], 0) / rowCount,
      errors.reduce((sum, error) => sum + 2 * error, 0) / rowCount,
    ];
    values = values.map((value, index) => {
      const [moment, slope] = [moments[index], slopes[index]];
      if (optimizer.kind === "sgd") {
        moment.mean = (optimizer.momentum ?? 0) * moment.mean + slope;
        return value - optimizer.learningRate * moment.mean;
      }
      if (optimizer.kind !== "adam") throw new Error(`${optimizer.kind} is not worked out here`);
      const { beta1 = 0.9, beta2 = 0.999, epsilon = 1e-8, learningRate } = optimizer;
      moment.mean = beta1 * moment.mean + (1 - beta1) * slope;
      moment.square = beta2 * moment.square + (1 - beta2) * slope ** 2;
      const [mean, square] = [moment.mean / (1 - beta1 ** step), moment.square / (1 - beta2 ** step)];
      return value - (learningRate * mean) / (Math.sqrt(square) + epsilon);
    });
  }
  return { loss, weight: values[0], bias: values[1] };
}

function drawn(stream: string, length: number): number[] {
  const random = new Random(3, stream);
  return Array.from({ length }, () => 2 * random.uniform() - 1);
}

function fp32(shape: readonly number[], numbers: ArrayLike<number>): RuntimeTensor {
  return { dataType: "FP32", shape, elements: Float32Array.from(numbers) };
}

function elements(tensor: RuntimeTensor): number[] {
  return Array.from(tensor.elements);
}
