import { expect } from "chai";
import { type CsvForm, readCsv } from "../../services/trainer/datasets/csv.ts";

const form: CsvForm = { header: false, tokens: false, targetCount: 1, classes: false };

async function* chunked(text: string, bytes = 7) {
  const all = Buffer.from(text);
  for (let begin = 0; begin < all.length; begin += bytes) yield all.subarray(begin, begin + bytes);
}

const read = (text: string, changes: Partial<CsvForm> = {}) => readCsv(chunked(text), { ...form, ...changes });
const refusal = (text: string, changes: Partial<CsvForm> = {}) =>
  read(text, changes).then(
    () => expect.fail("the file was accepted"),
    (failure: { reason: string; message: string }) => `${failure.reason}: ${failure.message}`,
  );

describe("a CSV dataset", () => {
  it("is split into features and targets, row by row", async () => {
    const data = await read("1,2,3\n4,5,6\n");
    expect(data).to.include({ rowCount: 2, featureCount: 2 });
    expect([...data.features]).to.deep.equal([1, 2, 4, 5]);
    expect([...data.targets]).to.deep.equal([3, 6]);
  });

  it("may have several targets, a header, quotes, blanks, empty lines, CRLF, a byte order mark and no last newline", async () => {
    const text = '\uFEFFa,b,"c,d",e\r\n\r\n 1 , -2.5e3 ,"3",4\r\n5,6,7,8';
    const data = await read(text, { header: true, targetCount: 2 });
    expect([...data.features]).to.deep.equal([1, -2500, 5, 6]);
    expect([...data.targets]).to.deep.equal([3, 4, 7, 8]);
  });

  it("gives classes as integers", async () => {
    const data = await read("0.5,2\n0.25,0\n", { classes: true });
    expect(data.targets).to.deep.equal(Int32Array.from([2, 0]));
  });

  it("takes the class of rows that do not count, also below 0, and no other one there", async () => {
    const changes = { classes: true, ignoredClass: -1 };
    const data = await read("0.5,2\n0.25,-1\n", changes);
    expect(data.targets).to.deep.equal(Int32Array.from([2, -1]));
    expect(await refusal("0.5,-2\n", changes)).to.contain('column 2 is "-2"; needed: a class');
  });

  it("keeps every row of a large file", async () => {
    const rows = Array.from({ length: 5000 }, (_, i) => `${i},${i % 7},${-i}`);
    const data = await readCsv(chunked(rows.join("\n"), 1000), form);
    expect(data.rowCount).to.equal(5000);
    expect(data.features[9998]).to.equal(4999);
    expect(data.targets[4999]).to.equal(-4999);
  });

  for (const [what, text, changes, message] of [
    ["a line that is too short", "1,2,3\n4,5\n", {}, "line 2 has 2 columns; needed: 3, as in line 1"],
    ["a line that is too long", "a,b\n1,2\n1,2,3", { header: true }, "line 3 has 3 columns; needed: 2, as in line 1"],
    [
      "a cell that is not a number",
      "1,2\n3,abc\n",
      {},
      'line 2, column 2 is "abc"; needed: a finite number, as FP32 holds it',
    ],
    ["a hexadecimal cell", "0x10,1\n", {}, 'line 1, column 1 is "0x10"; needed: a finite number, as FP32 holds it'],
    ["a cell above FP32", "1,1e39\n", {}, 'line 1, column 2 is "1e39"; needed: a finite number, as FP32 holds it'],
    ["an empty cell", "1,,2\n", {}, 'line 1, column 2 is ""; needed: a finite number, as FP32 holds it'],
    [
      "a cell that is not finite",
      "1,2\nInfinity,3\n",
      {},
      'line 2, column 1 is "Infinity"; needed: a finite number, as FP32 holds it',
    ],
    [
      "a class that is not whole",
      "1,0\n2,1.5\n",
      { classes: true },
      'line 2, column 2 is "1.5"; needed: a class, a whole number from 0',
    ],
    [
      "a negative class",
      "1,-1\n",
      { classes: true },
      'line 1, column 2 is "-1"; needed: a class, a whole number from 0',
    ],
    ["an empty file", "", {}, "the file has no rows; needed: at least 1"],
    ["a header without rows", "a,b\n", { header: true }, "the file has no rows; needed: at least 1"],
    ["too few columns", "1\n2\n", {}, "the file has 1 column; needed: at least 2, one feature and 1 target"],
    [
      "an unclosed quote",
      '1,"2\n3,4\n',
      {},
      "the file is not CSV: Quote Not Closed: the parsing is finished with an opening quote at line 2",
    ],
  ] as const) {
    it(`is refused for ${what}, with line, column and value`, async () => {
      expect(await refusal(text, changes)).to.equal(`DATASET_INVALID: dataset: ${message}`);
    });
  }

  it("relays what breaks the stream of its bytes", async () => {
    async function* broken() {
      yield Buffer.from("1,2\n");
      throw new Error("the connection broke");
    }
    const failure = await readCsv(broken(), form).catch((thrown: Error) => thrown.message);
    expect(failure).to.equal("the connection broke");
  });
});
