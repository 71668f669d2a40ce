import { readFile } from "node:fs/promises";
import { availableParallelism } from "node:os";
import { fileURLToPath } from "node:url";
import { preparedInMemory } from "../../services/trainer/datasets/rows/prepared-in-memory.ts";
import { runTraining } from "../../services/trainer/engine/training-run.ts";
import type { Measured } from "../harness/figures.ts";

const rounds = 3;
const validationShare = 0.2;

/** Handwritten digits by the cnn preset: how many of those held out are recognised, and after how long. */
export async function digits(): Promise<Measured[]> {
  const data = await digitRows();
  const all = [];
  for (let seed = 1; seed <= rounds; seed++) {
    const { metrics } = await runTraining(
      {
        network: {
          kind: "cnn",
          inputShape: [1, 8, 8],
          channels: [16, 32],
          kernel: 3,
          hiddenSizes: [64],
          outputSize: 10,
        },
        loss: { kind: "cross_entropy" },
        optimizer: { kind: "adam", learningRate: 0.002 },
        epochCount: 30,
        batchRows: 32,
        seed,
        validationShare,
        threadCount: availableParallelism(),
      },
      preparedInMemory(data, validationShare, seed),
    );
    all.push(metrics);
  }
  return [
    {
      metric: "digits, cnn preset, recognised of those held out",
      unit: "share",
      runs: all.map(({ validationAccuracy = 0 }) => ({ value: validationAccuracy })),
      goal: { of: "value", kind: "at least", bound: 0.975 },
    },
    {
      metric: "digits, cnn preset, a whole run",
      unit: "s",
      runs: all.map(({ durationMs }) => ({ value: durationMs / 1000 })),
      goal: { of: "value", kind: "at most", bound: 60 },
    },
  ];
}

async function digitRows() {
  const path = fileURLToPath(
    new URL("examples/digits/digits.csv", new URL("./", import.meta.resolve("#package.json"))),
  );
  const rows = (await readFile(path, "utf8"))
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
