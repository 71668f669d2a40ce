import { readFile } from "node:fs/promises";
import { availableParallelism } from "node:os";
import { preparedInMemory } from "../../services/trainer/datasets/rows/prepared-in-memory.ts";
import type { TrainingProgress } from "../../services/trainer/engine/training-figures.ts";
import { runTraining } from "../../services/trainer/engine/training-run.ts";
import type { Measured } from "../harness/figures.ts";
import type { Scenarios, Workplace } from "../harness/scenario.ts";

const context = 128;
const minutesMax = 15;
const seed = 1;
const validationShare = 0.1;

/** A bench of its own, since it takes a quarter of an hour and a text. */
export const scenarios: Scenarios = { bytes };

/**
 * A GPT of about a million parameters learns to tell the next byte of a text, that of AMAAS_BENCH_TEXT: its loss on a tenth of the text,
 * in pieces that are held out, in nats per byte.
 */
async function bytes(place: Workplace): Promise<Measured[]> {
  const rows = await rowsOf(place);
  const epochs: (TrainingProgress & { readonly minutes: number })[] = [];
  const startedMs = performance.now();
  const onProgress = (progress: TrainingProgress) => {
    if (progress.kind !== "epoch") return;
    const minutes = (performance.now() - startedMs) / 60_000;
    epochs.push({ ...progress, minutes });
    place.tell(`epoch ${progress.epoch}: ${progress.validationLoss?.toFixed(3)} after ${minutes.toFixed(1)} min`);
  };
  const { parameterCount } = await runTraining(
    {
      network: { kind: "gpt", tokenCount: 256, context, width: 128, layerCount: 5, headCount: 4 },
      loss: { kind: "next_token" },
      optimizer: { kind: "adamw", learningRate: 0.002 },
      schedule: { kind: "cosine", warmUpSteps: 50 },
      clip: { norm: 1 },
      epochCount: 3,
      batchRows: 16,
      seed,
      validationShare,
      threadCount: availableParallelism(),
    },
    preparedInMemory(rows, validationShare, seed),
    { onProgress },
  );
  const inTime = epochs.filter(({ minutes }) => minutes <= minutesMax);
  const metric = `GPT of ${(parameterCount / 1e6).toFixed(2)} M parameters on bytes, loss held out`;
  const goal = { of: "value", kind: "at most", bound: 2 } as const;
  return [
    { metric, unit: "nats", runs: [{ value: Math.min(...inTime.map((epoch) => epoch.validationLoss!)) }], goal },
    { metric: "the whole run", unit: "min", runs: [{ value: epochs.at(-1)!.minutes }] },
  ];
}

/** The text in pieces of the context, side by side; the target of each byte is the next one. */
async function rowsOf({ env }: Workplace) {
  const path = env.AMAAS_BENCH_TEXT;
  if (!path) throw new Error("AMAAS_BENCH_TEXT is not set; needed: the path of a text of about a megabyte");
  const text = await readFile(path);
  const rowCount = Math.floor((text.length - 1) / context);
  const piece = (first: number) => Int32Array.from(text.subarray(first, first + rowCount * context));
  return { rowCount, featureCount: context, features: piece(0), targets: piece(1) };
}
