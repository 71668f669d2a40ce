import { BenchProcess } from "../harness/bench-process.ts";
import { beside, type Measured } from "../harness/figures.ts";
import { residentOf } from "../harness/process-figures.ts";
import type { Workplace } from "../harness/scenario.ts";
import { type BenchNetwork, denseNetworks, gpt, lenet, resnet18 } from "./networks.ts";

type Trained = Pick<BenchNetwork, "name" | "spec" | "loss" | "batchRows" | "input" | "target">;

/** How far the estimate may be from what is measured. */
const errorMaxPercent = 20;

const ofTokens = { loss: "cross_entropy", batchRows: 8, input: { shape: [128], classes: 96 } } as const;
const ofClasses = { ...ofTokens, target: { shape: [], classes: 10 } } as const;

const bert: Trained = {
  ...ofClasses,
  name: "BERT-like encoder of 4 layers, 8 rows",
  spec: {
    kind: "transformer_encoder",
    tokenCount: 96,
    context: 128,
    width: 256,
    layerCount: 4,
    headCount: 4,
    outputSize: 10,
  },
};

const lstm: Trained = {
  ...ofClasses,
  name: "LSTM of 2 layers, 8 rows",
  spec: {
    kind: "layers",
    inputShape: [128],
    layers: [
      { kind: "embedding", tokenCount: 96, width: 256 },
      { kind: "lstm", hiddenSize: 256, layerCount: 2, lastOnly: true },
      { kind: "linear", outputSize: 10 },
    ],
  },
};

/** What a training was estimated to take beside the peak that its process had. */
export async function memory(place: Workplace): Promise<Measured[]> {
  const rows: Measured[] = [];
  for (const network of [denseNetworks[0]!, denseNetworks.at(-1)!, lenet, resnet18, gpt, bert, lstm]) {
    const training = new BenchProcess<typeof import("./load/whole-run.ts")>(
      new URL("load/whole-run", import.meta.url),
      place,
    );
    const estimate = await training.call("train", network);
    const { peakBytes } = await residentOf(training.pid);
    await training.stop();
    const error = 100 * Math.abs(estimate / peakBytes - 1);
    rows.push(
      {
        metric: `${network.name}, estimate of its memory`,
        unit: "MiB",
        runs: beside([estimate / 2 ** 20], [peakBytes / 2 ** 20]),
        baselineOf: "its peak",
      },
      {
        metric: `${network.name}, error of the estimate`,
        unit: "%",
        runs: [{ value: error }],
        goal: { of: "value", kind: "at most", bound: errorMaxPercent },
      },
    );
  }
  return rows;
}
