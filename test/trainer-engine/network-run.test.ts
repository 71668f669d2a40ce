import { expect } from "chai";
import { ServiceError } from "../../lib/errors.ts";
import { readModel } from "../../lib/onnx/model.ts";
import { Random } from "../../lib/random.ts";
import { splitRows } from "../../lib/split.ts";
import { preparedInMemory } from "../../services/trainer/datasets/rows/prepared-in-memory.ts";
import { openSession } from "../../services/trainer/engine/runtime.ts";
import { checkData, checkPlan, type TrainingPlan } from "../../services/trainer/engine/training-plan.ts";
import { trainOn } from "./train-on.ts";
import type { TrainingData } from "./training-data.ts";

const how = {
  optimizer: { kind: "adam", learningRate: 0.01 },
  batchRows: 16,
  seed: 3,
  validationShare: 0.25,
  threadCount: 1,
} as const;

describe("a network that behaves otherwise in training", () => {
  const plan: TrainingPlan = {
    ...how,
    network: {
      kind: "layers",
      inputShape: [6],
      layers: [
        { kind: "linear", outputSize: 16 },
        { kind: "batch_norm" },
        { kind: "relu" },
        { kind: "dropout", ratio: 0.3 },
        { kind: "residual", layers: [{ kind: "linear", outputSize: 16 }, { kind: "batch_norm" }] },
        { kind: "linear", outputSize: 2 },
      ],
    },
    loss: { kind: "mse" },
    epochCount: 5,
  };
  const random = new Random(1, "rows");
  const numbers = (count: number) => Float32Array.from({ length: count }, () => random.uniform());
  const data: TrainingData = { rowCount: 100, featureCount: 6, features: numbers(600), targets: numbers(200) };

  it("is measured and served by its running statistics, and drops nothing there", async () => {
    const { model, metrics } = await trainOn(plan, data);
    const { graph } = readModel(model);
    expect(graph?.node?.map(({ opType }) => opType)).to.deep.equal([
      "Gemm",
      "BatchNormalization",
      "Relu",
      "Gemm",
      "BatchNormalization",
      "Add",
      "Gemm",
    ]);
    expect(graph?.initializer?.map(({ name }) => name)).to.include.members([
      "layers.1.running_mean",
      "layers.4.layers.1.running_var",
    ]);
    const { validation } = splitRows(100, plan.validationShare, plan.seed);
    const session = await openSession(model, 1);
    let sum = 0;
    for (const row of validation) {
      const elements = Float32Array.from(data.features.slice(row * 6, row * 6 + 6));
      const { output } = await session.run({ input: { dataType: "FP32", shape: [1, 6], elements } });
      for (const [index, number] of output.elements.entries()) sum += (number - data.targets[row * 2 + index]) ** 2;
    }
    await session.release();
    expect(metrics.validationLoss).to.be.closeTo(sum / (2 * validation.length), 1e-6);
  });

  it("gives the same bits run after run, however many steps share a call", async () => {
    const [first, second] = [await trainOn(plan, data), await trainOn(plan, data)];
    expect(Buffer.compare(first.model, second.model)).to.equal(0);
  });
});

describe("the next token", () => {
  const context = 6;
  // Every token is one more than the one before it, and 0 comes after 6.
  const tokensFrom = (first: number) =>
    Int32Array.from({ length: 64 * context }, (_, place) => {
      const row = Math.floor(place / context);
      return ((place % context) + first + 3 * row) % 7;
    });
  const data = { rowCount: 64, featureCount: context, features: tokensFrom(0), targets: tokensFrom(1) };
  const plan: TrainingPlan = {
    ...how,
    network: { kind: "gpt", tokenCount: 7, context, width: 8, layerCount: 1, headCount: 2, tied: true },
    loss: { kind: "next_token" },
    epochCount: 40,
  };

  it("is learned, and the model that is served takes tokens", async () => {
    const { model, metrics } = await trainOn(plan, data);
    expect(metrics.validationAccuracy).to.equal(1);
    expect(metrics.validationLoss).to.be.below(0.5);
    const session = await openSession(model, 1);
    const elements = Int32Array.from([5, 6, 0, 1, 2, 3]);
    const { output } = await session.run({ input: { dataType: "INT32", shape: [1, context], elements } });
    await session.release();
    const scores = Array.from(output.elements.slice(-7));
    expect(output.shape).to.deep.equal([1, context, 7]);
    expect(scores.indexOf(Math.max(...scores))).to.equal(4);
  });

  it("does not depend on tokens behind it", async () => {
    const { model } = await trainOn({ ...plan, epochCount: 1 }, data);
    const session = await openSession(model, 1);
    const scoresOf = async (tokens: readonly number[]) => {
      const elements = Int32Array.from(tokens);
      const { output } = await session.run({ input: { dataType: "INT32", shape: [1, context], elements } });
      return [...output.elements];
    };
    const [first, second] = [await scoresOf([1, 2, 3, 4, 5, 6]), await scoresOf([1, 2, 3, 0, 0, 0])];
    await session.release();
    expect(first.slice(0, 21)).to.deep.equal(second.slice(0, 21));
    expect(first.slice(21)).to.not.deep.equal(second.slice(21));
  });

  for (const [what, change, rowsChange, message] of [
    [
      "of a network without tokens",
      { network: { kind: "mlp", inputShape: [6], hiddenSizes: [], outputSize: 7 } },
      {},
      "the network's input is numbers; needed: tokens, for the loss next_token",
    ],
    [
      "of a network that gives one class",
      {
        network: {
          kind: "transformer_encoder",
          tokenCount: 7,
          context,
          width: 8,
          layerCount: 1,
          headCount: 2,
          outputSize: 7,
        },
      },
      {},
      "the network's output is rows of [7]; needed: [6, 7], a score for each token at each place",
    ],
    ["that is none", {}, { features: data.features.map((token) => token + 1) }, "is 7; needed: one in [0, 6]"],
    [
      "among numbers",
      {},
      { features: Float32Array.from(data.features) },
      "features are FP32; the network's input needs INT32",
    ],
    [
      "that is no target",
      {},
      { targets: data.targets.map((token) => 2 * token) },
      "token 4 of row 0 is 8; needed: one in [0, 6]",
    ],
  ] as const) {
    it(`is refused ${what}`, () => {
      const given = { ...plan, ...change } as TrainingPlan;
      const prepared = preparedInMemory({ ...data, ...rowsChange }, given.validationShare, given.seed);
      expect(() => checkData(given, checkPlan(given), prepared)).to.throw(ServiceError, message);
    });
  }
});
