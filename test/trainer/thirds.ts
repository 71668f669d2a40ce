import type { TrainSpec } from "../../lib/gen/amaas/trainer/v1/TrainSpec.ts";
import type { RunningTrainer } from "./running-trainer.ts";

/** Rows of two features and a class of three. */
export const rows = Array.from({ length: 40 }, (_, i) => `${i % 8},${i >> 3},${i % 3}`).join("\n");

/** A small job on them, whose dataset the trainer's registry has. */
export async function thirdsSpec(running: RunningTrainer): Promise<TrainSpec> {
  return {
    model: "models/thirds",
    dataset: await running.uploadDataset(rows),
    layers: [{ linear: { inputSize: 2, outputSize: 4 } }, { relu: {} }, { linear: { inputSize: 4, outputSize: 3 } }],
    loss: "LOSS_CROSS_ENTROPY",
    optimizer: { adam: { learningRate: 0.01 } },
    epochs: 3,
    batchSize: 8,
    seed: 5,
    validationShare: 0.25,
  };
}
