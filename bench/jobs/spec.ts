import type { TrainSpec } from "../../lib/gen/amaas/trainer/v1/TrainSpec.ts";

/** What most scenarios train. */
const network = { hidden: 512, batchRows: 128 } as const;

/** A training on rows of numbers whose last columns are targets. */
export function specOf(options: {
  readonly dataset: string;
  readonly features: number;
  readonly targets: number;
  readonly epochs: number;
  readonly batchRows?: number;
  readonly hidden?: number;
}): TrainSpec {
  const { dataset, features, targets, epochs, batchRows = network.batchRows, hidden = network.hidden } = options;
  return {
    model: "models/bench",
    dataset,
    data: { targetColumns: targets },
    layers: [
      { linear: { inputSize: features, outputSize: hidden } },
      { relu: {} },
      { linear: { outputSize: targets } },
    ],
    loss: "LOSS_MEAN_SQUARED_ERROR",
    optimizer: { adam: { learningRate: 0.001 } },
    epochs,
    batchSize: batchRows,
    seed: 1,
  };
}
