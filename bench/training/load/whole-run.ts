import { product } from "../../../lib/onnx/shapes.ts";
import { preparedInMemory } from "../../../services/trainer/datasets/rows/prepared-in-memory.ts";
import { runTraining } from "../../../services/trainer/engine/training-run.ts";
import type { BenchNetwork, Drawn } from "../networks.ts";

/** Batches of the rows to learn from; as many rows are held out as one of them has. */
const batchCount = 4;

/** Trains a network by Adam for two epochs, as a job does; tells the bytes that it was estimated to take at its peak. */
export async function train(network: Pick<BenchNetwork, "spec" | "loss" | "batchRows" | "input" | "target">) {
  const { spec, loss, batchRows, input, target } = network;
  const rowCount = (batchCount + 1) * batchRows;
  const plan = {
    network: spec,
    loss: { kind: loss },
    optimizer: { kind: "adam", learningRate: 0.0001 },
    epochCount: 2,
    batchRows,
    seed: 1,
    validationShare: 1 / (batchCount + 1),
    threadCount: 2,
  } as const;
  const data = {
    rowCount,
    featureCount: product(input.shape),
    features: shared(rowCount, input),
    targets: shared(rowCount, target),
  };
  const { metrics } = await runTraining(plan, preparedInMemory(data, plan.validationShare, plan.seed));
  return metrics.memoryEstimateBytes;
}

/** Numbers, or classes, that are all 0: what they are makes no difference to memory. */
function shared(rowCount: number, { shape, classes }: Drawn): Float32Array | Int32Array {
  const buffer = new SharedArrayBuffer(rowCount * product(shape) * Float32Array.BYTES_PER_ELEMENT);
  return classes === 0 ? new Float32Array(buffer).fill(0) : new Int32Array(buffer).fill(0);
}
