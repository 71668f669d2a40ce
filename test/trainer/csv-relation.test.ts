import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect } from "chai";
import type { CsvFormat, DatasetFile } from "../../services/trainer/datasets/formats/file-format.ts";
import { openDataset } from "../../services/trainer/datasets/formats/open-dataset.ts";
import type { Relation } from "../../services/trainer/datasets/formats/relation.ts";

describe("a CSV file", () => {
  let folder: string;
  beforeEach(async () => {
    folder = await mkdtemp(join(tmpdir(), "amaas-csv-"));
  });
  afterEach(() => rm(folder, { recursive: true, force: true }));

  const open = async (text: string, changes: Partial<CsvFormat> = {}, kinds?: DatasetFile["kinds"]) => {
    const path = join(folder, "file.csv");
    await writeFile(path, text);
    const format = { kind: "csv", header: false, delimiter: ",", missingText: "", ...changes } as const;
    return (await openDataset({
      path,
      format,
      folder,
      memoryBytesMax: 2 ** 29,
      threadCount: 1,
      ...(kinds && { kinds }),
    })) as Relation;
  };
  const rowsOf = async (text: string, changes: Partial<CsvFormat> = {}, kinds?: DatasetFile["kinds"]) => {
    const relation = await open(text, changes, kinds);
    const rows = (await relation.connection.runAndReadAll("SELECT * EXCLUDE row FROM rows")).getRowsJson();
    relation.close();
    return { columns: relation.columns.map(({ name, kind }) => [name, kind]), rows };
  };
  const refusal = (text: string, changes: Partial<CsvFormat> = {}) =>
    open(text, changes).then(
      (relation) => {
        relation.close();
        return "accepted";
      },
      (failure: { reason: string; message: string }) => `${failure.reason}: ${failure.message}`,
    );

  it("may have a header, quotes, blanks, empty lines, CRLF, a byte order mark and no last newline", async () => {
    const text = '\uFEFFa,b,"c,d",e\r\n\r\n 1 , -2.5e3 ,"3",4\r\n5,6,7,8';
    const { columns, rows } = await rowsOf(text, { header: true });
    expect(columns.map(([name]) => name)).to.deep.equal(["a", "b", "c,d", "e"]);
    expect(rows).to.deep.equal([
      [1, -2500, 3, 4],
      [5, 6, 7, 8],
    ]);
  });

  for (const [what, text, changes, message] of [
    ["a line that is too short", "1,2,3\n4,5\n", {}, "line 2 has 2 columns; needed: 3, as in line 1"],
    ["a line that is too long", "a,b\n1,2\n1,2,3", { header: true }, "line 3 has 3 columns; needed: 2, as in line 1"],
    [
      "a value that is no number",
      "1,2\n3,abc\n",
      {},
      'line 2, column 2 is "abc"; needed: a finite number, as FP32 holds it',
    ],
    ["an unclosed quote", '1,"2\n3,4\n', {}, "the quote of line 1 is never closed"],
    ["an empty file", "", {}, "the file has no rows; needed: at least 1"],
    ["a header without rows", "a,b\n", { header: true }, "the file has no rows; needed: at least 1"],
  ] as const) {
    it(`is refused for ${what}, with line, column and value`, async () => {
      expect(await refusal(text, changes)).to.equal(`DATASET_INVALID: dataset: ${message}`);
    });
  }
});
