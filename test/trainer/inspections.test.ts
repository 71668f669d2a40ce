import { expect } from "chai";
import type { InspectDatasetRequest } from "../../lib/gen/amaas/trainer/v1/InspectDatasetRequest.ts";
import { remoteFaultOf } from "../../lib/rpc/status.ts";
import { RunningTrainer } from "./running-trainer.ts";

describe("InspectDataset", function () {
  this.timeout(60_000);
  const suite = new RunningTrainer();
  let dataset: string;
  before(async () => {
    await suite.start();
    dataset = await suite.uploadDataset("size,kind\n1,7\n2,b\n");
  });
  after(() => suite.remove());

  const inspect = (changes: InspectDatasetRequest = {}) =>
    suite.trainer.unary("InspectDataset", { dataset, data: { csv: { header: true } }, ...changes });
  const refusal = (changes: InspectDatasetRequest) =>
    inspect(changes).then(
      () => "accepted",
      (failure) => `${remoteFaultOf(failure).reason}: ${remoteFaultOf(failure).message}`,
    );

  it("tells what is in a file, and its first rows", async () => {
    const info = await inspect({
      data: { csv: { header: true }, columns: [{ name: "kind", oneHot: {} }] },
      previewRows: 1,
    });
    expect(info).to.include({ dataset, format: "csv", rowCount: 2, sizeBytes: 18 });
    expect(info.columns.map(({ name, type }) => [name, type])).to.deep.equal([
      ["size", "DOUBLE"],
      ["kind", "VARCHAR"],
    ]);
    expect(info.columns[0]).to.include({
      missingCount: 0,
      distinctCount: 2,
      min: 1,
      max: 2,
      mean: 1.5,
      deviation: 0.5,
    });
    expect(info.columns[1]!.mostFrequent).to.deep.equal([
      { value: "7", count: 1 },
      { value: "b", count: 1 },
    ]);
    expect(info.preview).to.deep.equal([{ values: ["1.0", "7"] }]);
  });

  it("names the place of what is wrong with a file", async () => {
    expect(await refusal({})).to.contain('DATASET_INVALID: dataset: line 3, column 2 is "b"; needed: a finite number');
  });

  for (const [what, changes, message] of [
    ["no artifact", { dataset: "artifacts/x" }, "REQUEST_INVALID: dataset"],
    ["an artifact that is not there", { dataset: `artifacts/${"0".repeat(64)}` }, "ARTIFACT_NOT_FOUND"],
    ["too many rows", { previewRows: 101 }, "REQUEST_INVALID: preview_rows is 101; needed: a whole number in [0, 100]"],
    ["a split", { data: { split: { random: {} } } }, "SPEC_INVALID: data.split is set; needed: nothing"],
    ["targets", { data: { targetColumns: 2 } }, "SPEC_INVALID: data.target_columns is 2; needed: 0"],
    ["a column twice", { data: { columns: [{ name: "a" }, { name: "a" }] } }, "SPEC_INVALID: data.columns[1].name"],
  ] as const) {
    it(`is refused for ${what}`, async () => {
      expect(await refusal(changes as InspectDatasetRequest)).to.contain(message);
    });
  }
});
