import { createHash } from "node:crypto";
import { readFileSync } from "node:fs";
import { expect } from "chai";
import { regressionCsv, regressionData } from "../../examples/regression/data.ts";
import { regressionPlan } from "../../examples/regression/plan.ts";
import { initialTensors } from "../../services/trainer/graph/initialise.ts";
import { networkOf } from "../../services/trainer/graph/network-spec.ts";
import { fileOf } from "../repository.ts";
import { trainOn } from "./train-on.ts";

/** Written by regression-torch.py beside it. */
interface TorchFigures {
  readonly torch: string;
  readonly seed: number;
  readonly dataSha256: string;
  readonly initialWeightsSha256: string;
  readonly trainingLossByEpoch: Readonly<Record<string, number>>;
}

const torch: TorchFigures = JSON.parse(readFileSync(fileOf("test/fixtures/regression-torch.json"), "utf8"));

describe("the textbook regression", () => {
  const data = regressionData(torch.seed);

  it("begins with the data and the weights that PyTorch began with, bit for bit", () => {
    expect(regressionPlan.seed).to.equal(torch.seed);
    expect(sha256([data.features, data.targets])).to.equal(torch.dataSha256);
    expect(sha256(initialTensors(networkOf(regressionPlan.network), torch.seed).values())).to.equal(
      torch.initialWeightsSha256,
    );
  });

  it(`has PyTorch ${torch.torch}'s loss at epochs 1, 2, 10, 50 and 100`, async () => {
    const losses = new Map<number, number>();
    await trainOn({ ...regressionPlan, epochCount: 100 }, data, {
      onProgress: ({ kind, epoch, trainingLoss }) => kind === "epoch" && losses.set(epoch, trainingLoss),
    });
    for (const [epoch, differenceMax] of Object.entries({ 1: 1e-4, 2: 1e-4, 10: 1e-4, 50: 1e-3, 100: 1e-3 })) {
      const [ours, theirs] = [losses.get(Number(epoch)) as number, torch.trainingLossByEpoch[epoch]];
      expect(Math.abs(ours / theirs - 1), `epoch ${epoch}: ${ours} and ${theirs}`).to.be.below(differenceMax);
    }
  });

  it("can be written as CSV and read back without loss", () => {
    const [header, ...rows] = regressionCsv(data).trimEnd().split("\n");
    expect(header.split(",")).to.have.length(200).and.to.include.members(["x0", "x99", "y0", "y99"]);
    const numbers = rows.map((row) => Float32Array.from(row.split(","), Number));
    expect(
      sha256([...numbers.map((row) => row.subarray(0, 100)), ...numbers.map((row) => row.subarray(100))]),
    ).to.equal(torch.dataSha256);
  });
});

function sha256(arrays: Iterable<Float32Array>): string {
  const hash = createHash("sha256");
  for (const array of arrays) hash.update(array);
  return hash.digest("hex");
}
