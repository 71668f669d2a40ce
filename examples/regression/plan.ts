import type { TrainingPlan } from "../../services/trainer/engine/training-plan.ts";

/** The textbook network: 100 → 200 → 100, mean squared error, Adam. */
export const regressionPlan = {
  network: {
    kind: "layers",
    layers: [
      { kind: "linear", inputSize: 100, outputSize: 200 },
      { kind: "relu" },
      { kind: "linear", inputSize: 200, outputSize: 100 },
    ],
  },
  loss: { kind: "mse" },
  optimizer: { kind: "adam", learningRate: 0.001 },
  epochCount: 1000,
  batchRows: 64,
  seed: 7,
  validationShare: 0,
  threadCount: 1,
} as const satisfies TrainingPlan;
