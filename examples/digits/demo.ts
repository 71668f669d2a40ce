import type { Progress__Output } from "../../lib/gen/amaas/trainer/v1/Progress.ts";
import { type Digit, drawn, heldOut, readDataset } from "./dataset.ts";
import { concurrency, type Measured, type Prediction, Predictor } from "./prediction.ts";
import type { Screen } from "./screen.ts";
import { seed, train, uploadDataset, validationShare } from "./training.ts";

/** The share of held-out digits that must be recognised. */
const accuracyNeeded = 0.96;

/** Trains on handwritten digits, serves the result and predicts digits that it has never seen, all through one gateway. */
export async function runDemo(gateway: string, screen: Screen): Promise<void> {
  const dataset = await readDataset();
  const unseen = heldOut(dataset, validationShare, seed);
  const artifact = await uploadDataset(gateway, dataset.bytes);
  screen.line(
    `dataset    ${dataset.digits.length} digits of 8 × 8, ${unseen.length} held out, ${artifact.slice(0, 26)}…`,
  );

  const job = await train(gateway, artifact, (progress) => {
    const { epoch, epochs } = progress;
    screen.status(progressLine(progress), epoch % 10 === 0 || epoch === epochs);
  });
  screen.line(
    `trained    ${job.version} by ${job.name}, validation accuracy ${percent(job.metrics.validation_accuracy)}`,
  );

  const predictor = new Predictor(gateway, job.version.split("/").at(-1)!);
  try {
    await predictor.ready(10_000);
    screen.line(`serving    digits at ${gateway}, alias default`);
    await predictor.measure(unseen);
    const measured = await predictor.measure(unseen);
    const accuracy = share(unseen, measured.predictions);
    screen.line(`predicted  ${unseen.length} digits, ${percent(accuracy)} right; ${speedLine(measured)}`);
    showThree(screen, unseen, measured.predictions);
    if (accuracy < accuracyNeeded)
      throw new Error(`accuracy is ${percent(accuracy)}; needed: ${percent(accuracyNeeded)}`);
  } finally {
    predictor.close();
  }
}

/** A call that recognises one held-out digit, to be typed while the suite runs. */
export async function nextCall(gateway: string): Promise<string> {
  const [{ pixels }] = heldOut(await readDataset(), validationShare, seed);
  const input = { name: "input", datatype: "FP32", shape: [1, 64], contents: { fp32_contents: pixels } };
  const request = JSON.stringify({ model_name: "digits", inputs: [input] });
  return `grpcurl -plaintext -d '${request}' ${gateway} inference.GRPCInferenceService/ModelInfer`;
}

function progressLine({ epoch, epochs, trainingLoss, validationLoss, validationAccuracy }: Progress__Output): string {
  const bar = "█".repeat(Math.round((epoch / epochs) * 20)).padEnd(20, "░");
  const validation =
    validationAccuracy === undefined
      ? ""
      : `, validation loss ${validationLoss?.toFixed(4)}, accuracy ${percent(validationAccuracy)}`;
  return `training   ${bar} epoch ${String(epoch).padStart(3)}/${epochs}, loss ${trainingLoss.toFixed(4)}${validation}`;
}

function speedLine({ callsPerSecond, latenciesMs }: Measured): string {
  const percentile = (p: number) =>
    latenciesMs[Math.min(latenciesMs.length - 1, Math.ceil(p * latenciesMs.length) - 1)];
  const latencies = [0.5, 0.9, 0.99].map((p) => `p${p * 100} ${percentile(p).toFixed(1)} ms`);
  return `${Math.round(callsPerSecond)} calls/s, ${concurrency} at a time; ${latencies.join(", ")}`;
}

function showThree(screen: Screen, digits: readonly Digit[], predictions: readonly Prediction[]): void {
  const places = [0, Math.floor(digits.length / 3), Math.floor((2 * digits.length) / 3)];
  const pictures = places.map((place) => drawn(digits[place]));
  for (let row = 0; row < 8; row++) screen.line(`           ${pictures.map((picture) => picture[row]).join("    ")}`);
  const captions = places.map((place) => {
    const { digit, probability } = predictions[place];
    return `${digit} (${percent(probability)}), is ${digits[place].digit}`.padEnd(20);
  });
  screen.line(`           ${captions.join("").trimEnd()}`);
}

function share(digits: readonly Digit[], predictions: readonly Prediction[]): number {
  return digits.filter(({ digit }, index) => predictions[index].digit === digit).length / digits.length;
}

function percent(value: number): string {
  return `${(value * 100).toFixed(1)} %`;
}
