import { readFileSync } from "node:fs";
import { expect } from "chai";
import type { TrainingPlan } from "../../services/trainer/engine/training-plan.ts";
import { fileOf } from "../repository.ts";
import { trainOn } from "./train-on.ts";
import type { TrainingData } from "./training-data.ts";

const plan: TrainingPlan = {
  network: {
    kind: "layers",
    layers: [
      { kind: "linear", inputSize: 64, outputSize: 128 },
      { kind: "relu" },
      { kind: "linear", inputSize: 128, outputSize: 10 },
      { kind: "softmax" },
    ],
  },
  loss: { kind: "cross_entropy" },
  optimizer: { kind: "adam", learningRate: 0.001 },
  epochCount: 60,
  batchRows: 32,
  seed: 7,
  validationShare: 0.2,
  threadCount: 1,
};

describe("handwritten digits", () => {
  for (const seed of [1, 3, 7]) {
    it(`are recognised at 97 % or more of those held out, with the seed ${seed}`, async () => {
      const { metrics } = await trainOn({ ...plan, seed }, digits());
      expect(metrics.validationAccuracy).to.be.at.least(0.97);
    });
  }

  it("are recognised by a convolutional network at 97.5 % or more of those held out", async () => {
    const network = {
      kind: "cnn",
      inputShape: [1, 8, 8],
      channels: [16, 32],
      kernel: 3,
      hiddenSizes: [64],
      outputSize: 10,
    } as const;
    const { metrics } = await trainOn({ ...plan, network, epochCount: 12 }, digits());
    expect(metrics.validationAccuracy).to.be.at.least(0.975);
  });
});

function digits(): TrainingData {
  const text = readFileSync(fileOf("examples/digits/digits.csv"), "utf8");
  const rows = text
    .trimEnd()
    .split("\n")
    .map((line) => line.split(",").map(Number));
  return {
    rowCount: rows.length,
    featureCount: 64,
    features: Float32Array.from(rows.flatMap((row) => row.slice(0, 64))),
    targets: Int32Array.from(rows, (row) => row[64]),
  };
}
