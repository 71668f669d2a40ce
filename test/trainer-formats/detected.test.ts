import { readFileSync } from "node:fs";
import { expect } from "chai";
import { fileOf } from "../repository.ts";
import { zipOf } from "./archive-files.ts";
import { FormatFiles, rowsOf, tensorRows } from "./format-files.ts";

describe("a file whose format nobody says", () => {
  const files = new FormatFiles();
  before(() => files.start());
  after(() => files.remove());

  for (const [what, text, rows] of [
    [
      "CSV without a header",
      "1,2\n3,4\n",
      [
        [1, 2],
        [3, 4],
      ],
    ],
    ["NDJSON by its first brace", '\n {"a":1}\n', [[1]]],
  ] as const) {
    it(`is read as ${what}`, async () => {
      const dataset = await files.opened(await files.written(text), undefined);
      expect(dataset.kind === "relation" && (await rowsOf(dataset))).to.deep.equal(rows);
    });
  }

  for (const name of ["float32.npy", "pair.npz"]) {
    it(`is read as NumPy by the magic bytes of ${name}`, async () => {
      const dataset = await files.opened(
        await files.written(readFileSync(fileOf(`test/fixtures/numpy/${name}`))),
        undefined,
      );
      expect(dataset.kind === "tensors" && (await tensorRows(dataset)).length).to.equal(4);
    });
  }

  it("is refused where it is an archive of other files, which need a size", async () => {
    const archive = zipOf([{ name: "a/1.png" }]);
    expect(await files.refusal(archive, undefined)).to.equal(
      "DATASET_INVALID: dataset: the file is an archive; needed: data.images",
    );
  });
});
