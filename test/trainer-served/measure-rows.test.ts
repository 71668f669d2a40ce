import { expect } from "chai";
import type { TensorSpec } from "../../lib/tensor.ts";
import type { UsedColumns } from "../../services/trainer/datasets/columns/used-columns.ts";
import type { Loss } from "../../services/trainer/graph/losses/loss.ts";
import { type MeasuredRows, measureRows } from "../../services/trainer/served/measure-rows.ts";
import { columnsOf, modelOf } from "./rows.ts";

const input: TensorSpec = { name: "input", dataType: "FP32", shape: ["batch", 2] };
const scores: TensorSpec = { name: "output", dataType: "FP32", shape: ["batch", 2], labels: ["no", "yes"] };
/** Says the second class where the first number is the larger one. */
const larger = ([a, b]: readonly number[]) => [b!, a!];

const table = { a: [1, 5, 3, 0, 9, 2, 7], b: [2, 1, 4, 1, 3, 8, 6], c: [0, 1, 0, 0, 1, 1, 1] };

function rowsOf(
  columns: Parameters<typeof columnsOf>[0],
  targets: readonly string[],
  loss: Loss,
  more: Partial<MeasuredRows> = {},
): MeasuredRows {
  const source = columnsOf(columns);
  const isTarget = ({ name }: { readonly name: string }) => targets.includes(name);
  const used = {
    features: source.columns.filter((column) => !isTarget(column)),
    targets: source.columns.filter(isTarget),
  } as unknown as UsedColumns;
  return { source, used, counts: () => true, loss, rowsPerCall: 2, ...more };
}

const classes = { kind: "cross_entropy" } as const;
const measured = (rows: MeasuredRows, model = modelOf([input], scores, larger)) =>
  measureRows(rows, model, () => "scores");

describe("a served model is measured", () => {
  it("on raw values, in calls of so many rows at most", async () => {
    const model = modelOf([input], scores, larger);
    const { values, rowCount } = await measured(rowsOf(table, ["c"], classes), model);
    expect(rowCount).to.equal(7);
    // Only the sixth row is taken for the other class.
    expect(values.accuracy).to.be.closeTo(6 / 7, 1e-12);
    expect(model.calls.map(([tensor]) => tensor!.shape[0])).to.deep.equal([2, 1, 2, 1, 1]);
  });

  it("on the rows that count alone", async () => {
    const rows = rowsOf(table, ["c"], classes, { counts: (row) => row !== 5 });
    expect(await measured(rows)).to.deep.include({ rowCount: 6 });
    expect((await measured(rows)).values.accuracy).to.equal(1);
  });

  it("against labels, where the targets are texts", async () => {
    const texts = { ...table, c: table.c.map((label) => ["no", "yes"][label]!) };
    expect((await measured(rowsOf(texts, ["c"], classes))).values.accuracy).to.be.closeTo(6 / 7, 1e-12);
  });

  it("against the tokens behind those that go in", async () => {
    const columns = { t0: [0, 1, 2], t1: [1, 2, 0], t2: [2, 0, 1] };
    const tokens: TensorSpec = { name: "input", dataType: "INT32", shape: ["batch", 2] };
    const next: TensorSpec = { name: "output", dataType: "FP32", shape: ["batch", 2, 3] };
    // Always right: the next token is one more.
    const model = modelOf([tokens], next, (row) =>
      row.flatMap((token) => [0, 1, 2].map((each) => Number(each === (token + 1) % 3) * 20)),
    );
    const { values } = await measured(rowsOf(columns, [], { kind: "next_token" }), model);
    expect(values.accuracy).to.equal(1);
    expect(values.perplexity).to.be.closeTo(1, 1e-6);
  });

  it("against numbers", async () => {
    const output: TensorSpec = { name: "output", dataType: "FP32", shape: ["batch", 1] };
    const model = modelOf([input], output, ([a, b]) => [a! + b!]);
    const { values } = await measured(rowsOf({ ...table, c: [3, 6, 7, 1, 12, 10, 14] }, ["c"], { kind: "mse" }), model);
    expect(values.mae).to.be.closeTo(1 / 7, 1e-6);
  });

  for (const [title, columns, words] of [
    [
      "a class that there is not",
      { ...table, c: [0, 1, 0, 2, 1, 1, 1] },
      /line 4, column "c" is 2; needed: a class, a whole number from 0 to 1/,
    ],
    [
      "a label that there is not",
      { ...table, c: ["no", "yes", "maybe", "no", "no", "no", "no"] },
      /line 3, column "c" is "maybe"; needed: one of the model's labels, "no", "yes"/,
    ],
    [
      "too many columns",
      { ...table, d: table.a },
      /a row of the file has 3 values for the model's input input; needed: 2/,
    ],
    [
      "texts for numbers",
      { ...table, b: table.b.map(String) },
      /the column "b" holds texts; needed: numbers, for the model's input input/,
    ],
    ["what the model gives no number for", { ...table, a: [1, NaN, 3, 0, 9, 2, 7] }, /gives no number for line 2/],
  ] as const) {
    it(`not on ${title}, which is refused with its place`, async () => {
      const failure = await measured(rowsOf(columns as never, ["c"], classes)).catch((thrown: unknown) => thrown);
      expect(failure).to.include({ reason: "DATASET_INVALID" });
      expect((failure as Error).message).to.match(words);
    });
  }

  it("by inputs of the columns' names, of any type", async () => {
    const [a, b] = [
      { name: "b", dataType: "INT64", shape: ["batch", 1] },
      { name: "a", dataType: "BYTES", shape: ["batch", 1] },
    ] satisfies TensorSpec[];
    const model = modelOf([a, b], scores, ([first]) => [0, first!]);
    await measured(rowsOf({ ...table, a: table.a.map((value) => `é${value}`) }, ["c"], classes), model);
    const [ints, texts] = model.calls[0]!;
    expect([...new BigInt64Array(ints!.bytes.slice().buffer)]).to.deep.equal([2n, 1n]);
    expect(Buffer.from(texts!.bytes).toString("latin1")).to.equal(
      Buffer.from("\u0003\0\0\0é1\u0003\0\0\0é5").toString("latin1"),
    );
  });
});
