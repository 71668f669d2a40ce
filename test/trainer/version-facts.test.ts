import { expect } from "chai";
import type { TrainSpec__Output } from "../../lib/gen/amaas/trainer/v1/TrainSpec.ts";
import type { TrainingOutcome } from "../../services/trainer/engine/training-figures.ts";
import type { CheckedSpec } from "../../services/trainer/jobs/train-spec.ts";
import { versionFacts } from "../../services/trainer/work/version-facts.ts";

describe("the lineage of a version", () => {
  const factsOf = (layerCount: number, metrics: object = {}) => {
    const layers = Array.from({ length: layerCount }, () => ({ kind: "relu" }));
    const plan = {
      network: { kind: "layers", inputShape: [4], layers },
      loss: { kind: "mse" },
      optimizer: { kind: "sgd" },
    };
    const data = { format: undefined };
    const spec = { plan, data, model: "flowers", datasetSha256: "ab" } as unknown as CheckedSpec;
    const outcome = { metrics, epochs: [], leftToCpu: [], device: "cpu", runtimeVersion: "1" };
    const told = { dataset: "artifacts/ab", seed: 1, data: null } as unknown as TrainSpec__Output;
    return versionFacts(told, { id: "j" }, spec, outcome as unknown as TrainingOutcome, {});
  };
  const networkOf = (layerCount: number) =>
    (factsOf(layerCount).lineage!.hyperParameters as Record<string, string>).network!;

  it("has the network", () => {
    expect(JSON.parse(networkOf(2))).to.deep.include({ layers: [{ kind: "relu" }, { kind: "relu" }] });
  });

  it("comes with the metrics that are finite", () => {
    const measured = { trainingLoss: 0.5, validationLoss: NaN, metrics: { mae: Infinity, r2: -3 }, stepCount: 0 };
    expect(factsOf(1, measured).metrics).to.deep.equal({ training_loss: 0.5, validation_r2: -3, steps: 0 });
  });

  it("has of a very long one as much as the registry takes, and its length", () => {
    const text = networkOf(10_000);
    expect(text).to.have.length(65_536);
    expect(text).to.match(/ … \(1\d{5} characters\)$/);
  });
});
