import { preparedInMemory } from "../../services/trainer/datasets/rows/prepared-in-memory.ts";
import { runTraining } from "../../services/trainer/engine/training-run.ts";
import { regressionData } from "./data.ts";
import { regressionPlan } from "./plan.ts";

// Trains the textbook network on the engine itself, without services, and prints how the loss falls.
const shown = new Set([1, 2, 10, 50, ...Array.from({ length: 10 }, (_, index) => (index + 1) * 100)]);

console.log("epoch  training loss  seconds");
const startedMs = performance.now();
const { validationShare, seed } = regressionPlan;
const data = preparedInMemory(regressionData(seed), validationShare, seed);
const { metrics, model, parameterCount } = await runTraining(regressionPlan, data, {
  onProgress({ kind, epoch, trainingLoss }) {
    if (kind !== "epoch" || !shown.has(epoch)) return;
    const seconds = (performance.now() - startedMs) / 1000;
    console.log(
      `${String(epoch).padStart(5)}  ${trainingLoss.toExponential(6).padStart(13)}  ${seconds.toFixed(2).padStart(7)}`,
    );
  },
});
console.log(
  `${parameterCount} parameters, ${metrics.stepCount} steps, ${Math.round(metrics.samplesPerSecond)} rows/s; ` +
    `the ONNX model has ${model.byteLength} bytes`,
);
