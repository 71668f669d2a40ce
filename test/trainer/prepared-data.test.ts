import { expect } from "chai";
import { splitRows } from "../../lib/split.ts";
import type { ColumnPlan, DataPlan } from "../../services/trainer/datasets/columns/data-plan.ts";
import type { FittedColumn } from "../../services/trainer/datasets/columns/preprocessing.ts";
import { openForm, rowForm } from "../../services/trainer/datasets/columns/row-form.ts";
import { TensorSource } from "../../services/trainer/datasets/columns/tensor-source.ts";
import type { Tensors } from "../../services/trainer/datasets/formats/tensors.ts";
import { prepareData } from "../../services/trainer/datasets/prepared-data.ts";
import type { RowStorage } from "../../services/trainer/datasets/row-source.ts";
import type { Layer } from "../../services/trainer/graph/layers/layer.ts";
import { networkOf } from "../../services/trainer/graph/network-spec.ts";
import { hasOpenInput } from "../../services/trainer/graph/open-input.ts";
import { classes, column, form, plan, prepared, refusal, rowsIn } from "./preparing.ts";

const isOpen = (layers: readonly Layer[]) => hasOpenInput({ kind: "layers", layers });

describe("data, prepared from columns,", () => {
  const plain = { a: [1, 2, 3, 4, 5, 6, 7, 8], b: [8, 7, 6, 5, 4, 3, 2, 1], y: [0, 1, 0, 1, 0, 1, 0, 1] };

  it("is its numbers as they are, the last column the target, where nothing is said", async () => {
    const data = await prepared(plain, { validationShare: 0.25 }, form(2));
    const split = splitRows(8, 0.25, 1);
    const row = (index: number) => [plain.a[index], plain.b[index], plain.y[index]];
    expect(rowsIn(data.training)).to.deep.equal([...split.training].map(row));
    expect(rowsIn(data.validation)).to.deep.equal([...split.validation].map(row));
    expect(data).to.include({ preprocessing: undefined, classNames: undefined, leftOutCount: 0 });
  });

  it("decides what goes into a network that does not say it, by what its columns become", async () => {
    const table = { size: [1, 2, 3, 4], colour: ["a", "b", "c", "a"], y: [0, 1, 0, 1] };
    const mlp = { kind: "mlp", inputShape: [], hiddenSizes: [], outputSize: 2 } as const;
    const columns = [column("colour")];
    const data = await prepared(table, { columns }, openForm(mlp, classes));
    expect(data.rowShape).to.deep.equal([4]);
    expect(rowsIn(data.training)[1]).to.deep.equal([2, 0, 1, 0, 1]);
    const image = openForm({ kind: "cnn", inputShape: [], outputSize: 2 }, classes);
    expect(await refusal(table, { columns }, image)).to.match(
      /^SPEC_INVALID: layers\[0\] \(conv\) is given rows of the shape \[4\]; needed: /,
    );
    const wide = openForm({ ...mlp, outputSize: 3 }, { kind: "mse" });
    expect(await refusal(table, { columns }, wide)).to.equal(
      "DATASET_INVALID: dataset: the dataset has 1 target column; needed: 3, for the loss mse",
    );
    // A linear layer behind others than activations says nothing of what goes in.
    const layers = [{ kind: "conv", outputChannels: 2, kernel: [2] }, { kind: "flatten" }] as const;
    const behind = (first: readonly Layer[]) => [...first, { kind: "linear", inputSize: 8, outputSize: 2 } as const];
    expect([layers, [{ kind: "relu" } as const], []].map((first) => isOpen(behind(first)))).to.deep.equal([
      true,
      false,
      false,
    ]);
    expect(() => openForm(mlp, { kind: "next_token" })).to.throw(
      "input_shape is not set; needed: the tokens of a row, for LOSS_NEXT_TOKEN",
    );
  });

  it("is given to a network with columns of its own by their names, and prepared as that does", async () => {
    const encoder = { kind: "one_hot", categories: ["a", "b"], ignoreUnknown: false } as const;
    const own: readonly FittedColumn[] = [{ name: "colour", kind: "text", width: 1, fill: "b", encoder }];
    const rows = { ...form(2, 2, classes), own };
    const table = { size: [1, 2, 3], y: [0, 1, 0], colour: ["b", "", "a"] };
    const ignored = [column("size", { role: "ignored" })];
    expect(rowsIn((await prepared(table, { columns: ignored }, rows)).training)).to.deep.equal([
      [0, 1, 0],
      [0, 1, 1],
      [1, 0, 0],
    ]);
    const colour = (fields: Partial<ColumnPlan>) => ({ columns: [...ignored, column("colour", fields)] });
    const known = { kind: "one_hot", categoriesMax: 9, ignoreUnknown: true } as const;
    const other = { ...table, colour: ["b", "new", "a"] };
    expect(await refusal(other, { columns: ignored }, rows)).to.contain(
      'column "colour" is "new"; needed: one of the categories of the training rows, "a", "b"',
    );
    expect(await refusal(other, colour({ encoding: known }), rows)).to.equal("accepted");
    for (const [data, changes, message] of [
      [
        { ...table, colour: [1, 2, 3] },
        {},
        'the column "colour" holds numbers, 1 in each row; needed: texts, as the version takes',
      ],
      [
        { y: [0, 1, 0], color: ["b", "", "a"] },
        {},
        'no column has the name of the model\'s input "colour"; the nearest column is "color"; needed: a column for each input',
      ],
      [
        table,
        colour({ encoding: { kind: "index" } }),
        "data.columns[1].index is set; needed: nothing, because the version prepares the column itself",
      ],
      [
        table,
        colour({ missing: { kind: "most_frequent" } }),
        "data.columns[1].most_frequent is set; needed: drop_row or nothing, because the version fills the column itself",
      ],
      [
        table,
        { columns: [column("size", { role: "feature" })] },
        "data.columns[0].role is feature; needed: another: the version takes the columns colour",
      ],
    ] as const) {
      expect(await refusal(data, changes, rows))
        .to.match(/^(DATASET|SPEC)_INVALID: /)
        .and.contain(message);
    }
  });

  it("of tensors has their shape, which a network that says another one is refused with", async () => {
    const tensors: Tensors = {
      ...{ kind: "tensors", rowCount: 2, featureShape: [1, 2, 2], featureType: "FP32", targetShape: [] },
      ...{ targetType: "INT32", classNames: undefined, placeOf: String, close: () => undefined },
      async *batches() {
        yield { rowCount: 2, features: Float32Array.of(1, 2, 3, 4, 5, 6, 7, 8), targets: Int32Array.of(0, 1) };
      },
    };
    const of = (inputShape: readonly number[]) => {
      const spec = { kind: "mlp", inputShape, hiddenSizes: [], outputSize: 2 } as const;
      const form = inputShape.length === 0 ? openForm(spec, classes) : rowForm(networkOf(spec), classes);
      return prepareData(new TensorSource(tensors), plan, form, { memoryBytesMax: 2 ** 20, folder: "" });
    };
    expect((await of([])).rowShape).to.deep.equal([1, 2, 2]);
    expect((await of([4])).training).to.include({ featureCount: 4 });
    const refused = await of([1, 3, 3]).catch(({ message }: Error) => message);
    expect(refused).to.equal(
      "dataset: rows have the shape [1, 2, 2]; needed: 9, for the network's input of the shape [1, 3, 3]",
    );
  });

  it("has targets and ignored columns wherever they are", async () => {
    const columns = [column("a", { role: "target" }), column("b", { role: "ignored" })];
    const data = await prepared(plain, { columns }, form(1));
    expect(rowsIn(data.training)[0]).to.deep.equal([0, 1]);
  });

  it("is scaled by its training rows alone", async () => {
    const columns = [
      column("a", { encoding: { kind: "standard" } }),
      column("b", { encoding: { kind: "min_max" } }),
      column("part"),
    ];
    const split = { kind: "given", column: "part", validation: "v", training: "t" } as const;
    const table = { a: [1, 3, 100], b: [10, 20, 40], y: [0, 0, 0], part: ["t", "t", "v"] };
    const data = await prepared(table, { columns, split }, form(2));
    expect(rowsIn(data.training)).to.deep.equal([
      [-1, 0, 0],
      [1, 1, 0],
    ]);
    expect(rowsIn(data.validation)).to.deep.equal([[98, 3, 0]]);
  });

  it("does not scale a column that is always the same", async () => {
    const columns = [column("a", { encoding: { kind: "standard" } }), column("b", { encoding: { kind: "min_max" } })];
    const data = await prepared({ a: [5, 5], b: [7, 7], y: [0, 1] }, { columns }, form(2));
    expect(rowsIn(data.training)).to.deep.equal([
      [0, 0, 0],
      [0, 0, 1],
    ]);
  });

  it("has categories of texts and of numbers, as ones and zeros or as indices", async () => {
    const oneHot = { kind: "one_hot", categoriesMax: 3, ignoreUnknown: false } as const;
    const table = { text: ["b", "a", "c"], number: [7, -1, 7], index: ["z", "y", "z"], y: [1, 2, 3] };
    const columns = [
      column("text"),
      column("number", { encoding: oneHot }),
      column("index", { encoding: { kind: "index" } }),
    ];
    const data = await prepared(table, { columns }, form(6));
    expect(rowsIn(data.training)).to.deep.equal([
      [0, 1, 0, 0, 1, 1, 1],
      [1, 0, 0, 1, 0, 0, 2],
      [0, 0, 1, 0, 1, 1, 3],
    ]);
  });

  it("fills missing values by the training rows, or leaves their rows out before the split", async () => {
    const table = {
      mean: [1, 3, undefined, 5],
      median: [undefined, 4, 2, 100],
      frequent: ["x", undefined, "x", "a"],
      constant: [undefined, 1, 2, 3],
      dropped: [1, 2, 3, undefined],
      y: [1, 2, 3, 4],
    };
    const columns = [
      column("mean", { missing: { kind: "mean" } }),
      column("median", { missing: { kind: "median" } }),
      column("frequent", { missing: { kind: "most_frequent" }, encoding: { kind: "index" } }),
      column("constant", { missing: { kind: "constant", value: "-7" } }),
      column("dropped", { missing: { kind: "drop_row" } }),
    ];
    const data = await prepared(table, { columns }, form(5));
    expect(rowsIn(data.training)).to.deep.equal([
      [1, 3, 0, -7, 1, 1],
      [3, 4, 0, 1, 2, 2],
      [2, 2, 0, 2, 3, 3],
    ]);
    expect(data.leftOutCount).to.equal(1);
  });

  it("has classes by the order of their names, which it tells", async () => {
    const data = await prepared({ a: [1, 2, 3], y: ["cat", "ant", "cat"] }, {}, form(1, 2, classes));
    expect(rowsIn(data.training)).to.deep.equal([
      [1, 1],
      [2, 0],
      [3, 1],
    ]);
    expect(data.classNames).to.deep.equal(["ant", "cat"]);
  });

  it("has a constant category that no row has, and zeros for unknown ones that are allowed", async () => {
    const missing = { kind: "constant", value: "none" } as const;
    const encoding = { kind: "one_hot", categoriesMax: 5, ignoreUnknown: true } as const;
    const split = { kind: "given", column: "part", validation: "v", training: "t" } as const;
    const table = { a: ["x", undefined, "new"], part: ["t", "t", "v"], y: [1, 2, 3] };
    const data = await prepared(table, { columns: [column("a", { encoding, missing })], split }, form(2));
    expect(rowsIn(data.training)).to.deep.equal([
      [0, 1, 1],
      [1, 0, 2],
    ]);
    expect(rowsIn(data.validation)).to.deep.equal([[0, 0, 3]]);
  });

  it("has, of rows of tokens alone, the token behind each as its target", async () => {
    const network = { kind: "gpt", tokenCount: 7, context: 2, width: 8, layerCount: 1, headCount: 2 } as const;
    const gpt = rowForm(networkOf(network), { kind: "next_token" });
    const data = await prepared({ a: [0, 3], b: [1, 4], c: [2, 6] }, { targetCount: 0 }, gpt);
    expect(rowsIn(data.training)).to.deep.equal([
      [0, 1, 1, 2],
      [3, 4, 4, 6],
    ]);
    expect(await refusal({ a: [0, 3], b: [1, 4] }, { targetCount: 0 }, gpt)).to.equal(
      "DATASET_INVALID: dataset: the dataset has 2 feature columns; needed: 3, the 2 tokens that go in and the one behind them",
    );
    expect(await refusal({ a: [0, 3], b: [1, 7], c: [2, 6] }, { targetCount: 0 }, gpt)).to.equal(
      'DATASET_INVALID: dataset: line 3, column "b" is 7; needed: a token, a whole number from 0 to 6',
    );
  });

  describe("holds out", () => {
    const rowCount = 100;
    const all = Array.from({ length: rowCount }, (_, row) => row);
    const table = {
      row: all,
      group: all.map((row) => `g${row % 10}`),
      when: all.map((row) => (row * 37) % rowCount),
      y: all.map((row) => (row < 80 ? 0 : 1)),
    };
    const ignored = (...names: string[]) => names.map((name) => column(name, { role: "ignored" }));
    const heldOut = async (split: DataPlan["split"], share = 0.2) => {
      const columns = ignored("group", "when").filter(({ name }) => !("column" in split) || split.column !== name);
      const data = await prepared(table, { columns, split, validationShare: share }, form(1, 2, classes));
      const rows = (storage: RowStorage) => rowsIn(storage).map(([row]) => row!);
      expect([...rows(data.training), ...rows(data.validation)].toSorted((a, b) => a - b)).to.deep.equal(all);
      return rows(data.validation);
    };

    it("the same share of each class", async () => {
      const rows = await heldOut({ kind: "stratified" });
      expect(rows.filter((row) => row < 80)).to.have.lengthOf(16);
      expect(rows.filter((row) => row >= 80)).to.have.lengthOf(4);
    });

    it("whole groups", async () => {
      const rows = await heldOut({ kind: "group", column: "group" });
      expect(rows).to.have.lengthOf(20);
      expect(new Set(rows.map((row) => row % 10)).size).to.equal(2);
    });

    it("the last rows by a time", async () => {
      const rows = await heldOut({ kind: "time", column: "when" });
      expect(rows).to.have.members(all.filter((row) => table.when[row]! >= 80));
    });

    it("the rows of the split that is a contract, and the same ones each time", async () => {
      expect(await heldOut({ kind: "random" })).to.deep.equal([...splitRows(rowCount, 0.2, 1).validation]);
      const stratified = await heldOut({ kind: "stratified" });
      expect(await heldOut({ kind: "stratified" })).to.deep.equal(stratified);
    });
  });
});
