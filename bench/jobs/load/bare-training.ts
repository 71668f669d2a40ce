import { availableParallelism } from "node:os";
import { Random } from "../../../lib/random.ts";
import { preparedInMemory } from "../../../services/trainer/datasets/rows/prepared-in-memory.ts";
import { runTraining } from "../../../services/trainer/engine/training-run.ts";
import { specOf } from "../spec.ts";

/** How long the engine alone takes for what `specOf` trains, on as many rows that are drawn: no file, no queue, no checkpoints. */
export async function secondsOf(shape: Omit<Parameters<typeof specOf>[0], "dataset"> & { readonly rows: number }) {
  const { rows, features, targets, epochs } = shape;
  const { batchSize, seed, layers } = specOf({ ...shape, dataset: "" });
  const [input, , output] = layers as [{ linear: { outputSize: number } }, unknown, { linear: { outputSize: number } }];
  const random = new Random(seed as number, "bench");
  const data = {
    rowCount: rows,
    featureCount: features,
    features: Float32Array.from({ length: rows * features }, () => random.uniform()),
    targets: Float32Array.from({ length: rows * targets }, () => random.uniform()),
  };
  const plan = {
    network: {
      kind: "layers",
      inputShape: [features],
      layers: [
        { kind: "linear", outputSize: input.linear.outputSize },
        { kind: "relu" },
        { kind: "linear", outputSize: output.linear.outputSize },
      ],
    },
    loss: { kind: "mse" },
    optimizer: { kind: "adam", learningRate: 0.001 },
    epochCount: epochs,
    batchRows: batchSize as number,
    seed: seed as number,
    validationShare: 0,
    threadCount: availableParallelism(),
  } as const;
  const startedMs = performance.now();
  await runTraining(plan, preparedInMemory(data, 0, plan.seed));
  return (performance.now() - startedMs) / 1000;
}
