import { expect } from "chai";
import { Random } from "../../lib/random.ts";
import { learnedRowCount } from "../../services/trainer/engine/stepper.ts";
import type { TrainingProgress } from "../../services/trainer/engine/training-figures.ts";
import type { TrainingPlan } from "../../services/trainer/engine/training-plan.ts";
import type { Layer } from "../../services/trainer/graph/layers/layer.ts";
import { trainOn } from "./train-on.ts";
import type { TrainingData } from "./training-data.ts";

describe("batches that are taken in parts", () => {
  const dense: Layer[] = [
    { kind: "linear", inputSize: 3, outputSize: 8 },
    { kind: "tanh" },
    { kind: "linear", inputSize: 8, outputSize: 3 },
  ];

  it("teach what they teach as a whole, a smaller one at an epoch's end too", async () => {
    const whole = await trained({ network: { kind: "layers", layers: dense }, batchRows: 12 });
    const inParts = await trained({ network: { kind: "layers", layers: dense }, batchRows: 12, accumulatedParts: 3 });
    expect(inParts.map(({ step }) => step)).to.deep.equal([3, 6, 9]);
    for (const [index, { trainingLoss, trainingAccuracy }] of whole.entries()) {
      expect(inParts[index].trainingLoss).to.be.closeTo(trainingLoss, 1e-5);
      expect(inParts[index].trainingAccuracy).to.equal(trainingAccuracy);
    }
  });

  it("are normalised part by part, and dropped otherwise in each", async () => {
    const layers: Layer[] = [
      ...dense.slice(0, 1),
      { kind: "batch_norm" },
      { kind: "dropout", ratio: 0.2 },
      ...dense.slice(1),
    ];
    const network = { kind: "layers", layers } as const;
    const [once, again, other] = [
      await trained({ network, batchRows: 6, accumulatedParts: 2 }),
      await trained({ network, batchRows: 6, accumulatedParts: 2 }),
      await trained({ network, batchRows: 6 }),
    ];
    const losses = (epochs: readonly TrainingProgress[]) => epochs.map(({ trainingLoss }) => trainingLoss);
    expect(losses(again)).to.deep.equal(losses(once));
    expect(losses(other)).to.not.deep.equal(losses(once));
    expect(losses(once).at(-1)).to.be.below(losses(once)[0]);
  });

  it("are few and equal: an epoch's last batch leaves out what is too much for that, instead of going row by row", () => {
    const plan = { batchRows: 32, accumulatedParts: 4 } as TrainingPlan;
    for (const [rowCount, learned] of [
      [61, 60],
      [64, 64],
      [65, 65],
      [79, 78],
      [96, 96],
    ] as const) {
      expect(learnedRowCount(plan, rowCount), `of ${rowCount}`).to.equal(learned);
    }
    expect(learnedRowCount({ batchRows: 32 } as TrainingPlan, 61)).to.equal(61);
  });
});

/** What was reported after each of three epochs over 30 rows. */
async function trained(part: Pick<TrainingPlan, "network" | "batchRows" | "accumulatedParts">) {
  const epochs: TrainingProgress[] = [];
  const plan: TrainingPlan = {
    ...part,
    loss: { kind: "cross_entropy" },
    optimizer: { kind: "adam", learningRate: 0.02 },
    epochCount: 3,
    seed: 5,
    validationShare: 0,
    threadCount: 1,
  };
  await trainOn(plan, rows(30), {
    onProgress: (progress) => {
      if (progress.kind === "epoch") epochs.push(progress);
    },
  });
  return epochs;
}

/** Three numbers, and which of them is the largest. */
function rows(rowCount: number): TrainingData {
  const random = new Random(3);
  const features = Float32Array.from({ length: 3 * rowCount }, () => random.uniform());
  const targets = Int32Array.from({ length: rowCount }, (_, row) => {
    const numbers = features.subarray(3 * row, 3 * row + 3);
    return numbers.indexOf(Math.max(...numbers));
  });
  return { rowCount, featureCount: 3, features, targets };
}
