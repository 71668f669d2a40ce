import { expect } from "chai";
import fc from "fast-check";
import { InferenceSession, Tensor } from "onnxruntime-node";
import { labelsOfOutput } from "../../lib/onnx/labels.ts";
import { writeModel } from "../../lib/onnx/model.ts";
import type { ColumnPlan, Encoding, Missing } from "../../services/trainer/datasets/columns/data-plan.ts";
import { fittedColumns } from "../../services/trainer/datasets/columns/fitted-columns.ts";
import { encodedWidth } from "../../services/trainer/datasets/columns/preprocessing.ts";
import { servedWith } from "../../services/trainer/datasets/columns/preprocessing-graph.ts";
import { rowForm } from "../../services/trainer/datasets/columns/row-form.ts";
import { usedColumns } from "../../services/trainer/datasets/columns/used-columns.ts";
import type { PreparedData } from "../../services/trainer/datasets/row-source.ts";
import { openRows } from "../../services/trainer/datasets/rows/open-rows.ts";
import { importedNetwork } from "../../services/trainer/graph/imported/imported-network.ts";
import { inferenceModel } from "../../services/trainer/graph/inference-model.ts";
import { initialTensors } from "../../services/trainer/graph/initialise.ts";
import type { Network } from "../../services/trainer/graph/network.ts";
import { type Columns, classes, column, form, plan, prepared, rowsIn } from "./preparing.ts";
import { tableSource } from "./table-source.ts";

type Cells = Columns[string];

/** The model that is served for a network over these columns. */
function served(network: Network, data: PreparedData) {
  return inferenceModel(network, initialTensors(network, 3), servedWith(data, network));
}

async function run(
  model: ReturnType<typeof inferenceModel>,
  feeds: Record<string, Tensor>,
): Promise<readonly number[]> {
  const session = await InferenceSession.create(writeModel(model), { intraOpNumThreads: 1, logSeverityLevel: 3 });
  try {
    return [...((await session.run(feeds)).output!.data as Float32Array)];
  } finally {
    await session.release();
  }
}

/** Raw values as a client sends them: NaN and the empty text are missing. */
function rawFeeds(table: Columns, names: readonly string[]): Record<string, Tensor> {
  const rowCount = table[names[0]!]!.length;
  const isText = (name: string) => table[name]!.some((cell) => typeof cell === "string");
  const number = (cell: Cells[number]) => (cell as number | undefined) ?? NaN;
  if (!names.some(isText)) {
    const all = Array.from({ length: rowCount }, (_, row) => names.map((name) => number(table[name]![row]))).flat();
    return { input: new Tensor("float32", Float32Array.from(all), [rowCount, names.length]) };
  }
  const one = (name: string) =>
    isText(name)
      ? new Tensor(
          "string",
          table[name]!.map((cell) => (cell as string | undefined) ?? ""),
          [rowCount, 1],
        )
      : new Tensor("float32", Float32Array.from(table[name]!, number), [rowCount, 1]);
  return Object.fromEntries(names.map((name) => [name, one(name)]));
}

/** What the network gives for prepared rows, and the served model for raw ones. */
async function bothOutputs(table: Columns, columns: readonly ColumnPlan[]) {
  const names = Object.keys(table).filter((name) => name !== "y");
  const width = await widthOf(table, columns);
  const { network } = form(width, 2);
  const data = await prepared(table, { columns, targetCount: 2 }, form(width, 2));
  const rows = openRows(data.training);
  const features = new Float32Array(rows.rowCount * width);
  rows.inOrder().read(features, new Float32Array(rows.rowCount * 2));
  const plain = await run(served(network, { ...data, preprocessing: undefined }), {
    input: new Tensor("float32", features, [rows.rowCount, width]),
  });
  return { plain, raw: await run(served(network, data), rawFeeds(table, names.slice(0, -1))) };
}

/** Numbers that all features become. */
async function widthOf(table: Columns, columns: readonly ColumnPlan[]): Promise<number> {
  const source = tableSource(table);
  const used = usedColumns(source.columns, { ...plan, columns, targetCount: 2 }, { tokens: false, classes: false });
  const parts = { of: new Uint8Array(source.rowCount), trainingCount: source.rowCount, validationCount: 0 };
  const fitted = await fittedColumns(source, used.features, parts);
  return fitted.reduce((sum, each) => sum + encodedWidth(each), 0);
}

const numbers = fc.oneof(fc.double({ min: -1e6, max: 1e6, noNaN: true }), fc.integer({ min: -3, max: 3 }));
const texts = fc.constantFrom("a", "b", "größer", "two words", "c");
const oneHot: Encoding = { kind: "one_hot", categoriesMax: 1000, ignoreUnknown: false };

const numberColumn = fc.record({
  cells: fc.array(fc.option(numbers, { nil: undefined, freq: 4 }), { minLength: 6, maxLength: 6 }),
  encoding: fc.constantFrom<Encoding>(
    { kind: "number" },
    { kind: "standard" },
    { kind: "min_max" },
    { kind: "index" },
    oneHot,
  ),
  missing: fc.constantFrom<Missing>(
    { kind: "mean" },
    { kind: "median" },
    { kind: "most_frequent" },
    { kind: "constant", value: "1.5" },
  ),
});
const textColumn = fc.record({
  cells: fc.array(fc.option(texts, { nil: undefined, freq: 4 }), { minLength: 6, maxLength: 6 }),
  encoding: fc.constantFrom<Encoding>({ kind: "index" }, oneHot),
  missing: fc.constantFrom<Missing>({ kind: "most_frequent" }, { kind: "constant", value: "none" }),
});
const isSome = ({ cells }: { cells: readonly unknown[] }) => cells.some((cell) => cell !== undefined);

describe("a model that is served with its preprocessing", function () {
  this.timeout(60_000);

  for (const [what, columnsMade] of [
    ["numbers", fc.array(numberColumn.filter(isSome), { minLength: 1, maxLength: 5 })],
    [
      "numbers and texts",
      fc.array(fc.oneof(numberColumn.filter(isSome), textColumn.filter(isSome)), { minLength: 1, maxLength: 5 }),
    ],
  ] as const) {
    it(`gives for raw ${what} what the network gives for prepared rows, bit for bit`, async () => {
      await fc.assert(
        fc.asyncProperty(columnsMade, async (made) => {
          const table: Record<string, Cells> = Object.fromEntries(made.map(({ cells }, index) => [`c${index}`, cells]));
          const columns = made.map(({ encoding, missing }, index) => column(`c${index}`, { encoding, missing }));
          const { plain, raw } = await bothOutputs({ ...table, z: [1, 2, 3, 4, 5, 6], y: [1, 2, 3, 4, 5, 6] }, columns);
          expect(raw).to.deep.equal(plain);
        }),
        { numRuns: 30 },
      );
    });
  }

  it("has columns that a training which begins with it reads back, prepares as it did, and serves as it did", async () => {
    const some = fc.array(fc.oneof(numberColumn.filter(isSome), textColumn.filter(isSome)), { maxLength: 4 });
    await fc.assert(
      fc.asyncProperty(textColumn.filter(isSome), some, async (first, others) => {
        const made = [...others, first];
        const table: Record<string, Cells> = Object.fromEntries(made.map(({ cells }, index) => [`c${index}`, cells]));
        const columns = made.map(({ encoding, missing }, index) => column(`c${index}`, { encoding, missing }));
        const targets = { z: [1, 2, 3, 4, 5, 6], y: [1, 2, 3, 4, 5, 6] };
        const width = await widthOf({ ...table, ...targets }, columns);
        const data = await prepared({ ...table, ...targets }, { columns, targetCount: 2 }, form(width, 2));
        const model = served(form(width, 2).network, data);
        const further = importedNetwork({ kind: "imported", model: writeModel(model), files: new Map() });
        // By their digits, of which zeros have no sign.
        expect(JSON.stringify(further.served!.columns)).to.equal(JSON.stringify(data.preprocessing!.columns));
        // Columns are found by name, wherever they are, and others are not read.
        const moved = { other: [1, 2, 3, 4, 5, 6], ...Object.fromEntries(Object.entries(table).reverse()), ...targets };
        const again = await prepared(moved, { targetCount: 2 }, rowForm(further, { kind: "mse" }));
        expect(JSON.stringify(rowsIn(again.training))).to.equal(JSON.stringify(rowsIn(data.training)));
        const feeds = rawFeeds(table, Object.keys(table));
        const next = inferenceModel(further, initialTensors(further, 3), servedWith(again, further));
        expect(await run(next, feeds)).to.deep.equal(await run(model, feeds));
      }),
      { numRuns: 20 },
    );
  });

  it("takes rows of the network's own shape where all of them are numbers that are scaled", async () => {
    const table = { a: [1, 2, 3], b: [4, 6, 9], y: [0, 1, 1] };
    const columns = ["a", "b"].map((name) => column(name, { encoding: { kind: "standard" } }));
    const { network } = form(2, 2, classes);
    const model = served(network, await prepared(table, { columns }, form(2, 2, classes)));
    expect(model.graph!.input!.map(({ name }) => name)).to.deep.equal(["input"]);
    expect(model.graph!.input![0]!.type!.tensorType!.shape!.dim).to.deep.equal([
      { dimParam: "batch" },
      { dimValue: 2 },
    ]);
  });

  it("tells the names of its classes", async () => {
    const data = await prepared({ a: [1, 2, 3], y: ["no", "yes", "no"] }, {}, form(1, 2, classes));
    const { metadataProps } = served(form(1, 2).network, data);
    const metadata = Object.fromEntries(metadataProps!.map(({ key, value }) => [key, value!]));
    expect(labelsOfOutput("output", metadata)).to.deep.equal(["no", "yes"]);
  });

  it("has a category that the training rows do not have as none of them, and fails no other row", async () => {
    const table = { a: ["x", "y", "x"], y: [1, 2, 3] };
    const data = await prepared(table, { columns: [column("a")] }, form(2));
    const model = served(form(2).network, data);
    const [known, unknown] = await run(model, { a: new Tensor("string", ["x", "new"], [2, 1]) });
    const [alone] = await run(model, { a: new Tensor("string", ["x"], [1, 1]) });
    expect(known).to.equal(alone);
    const bias = initialTensors(form(2).network, 3).get("layers.0.bias")!;
    expect(unknown).to.equal(bias[0]);
  });
});
