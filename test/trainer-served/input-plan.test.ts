import { expect } from "chai";
import type { TensorSpec } from "../../lib/tensor.ts";
import type { SourceColumn } from "../../services/trainer/datasets/columns/column-source.ts";
import { classFormOf } from "../../services/trainer/served/class-form.ts";
import { columnBytes } from "../../services/trainer/served/column-bytes.ts";
import { inputPlan } from "../../services/trainer/served/input-plan.ts";

const numbers = (...names: string[]): SourceColumn[] =>
  names.map((name) => ({ name, kind: "number", width: 1, type: "DOUBLE" }));
const spec = (name: string, shape: TensorSpec["shape"], more: Partial<TensorSpec> = {}): TensorSpec => ({
  name,
  dataType: "FP32",
  shape,
  ...more,
});

describe("the inputs of a served model", () => {
  it("take all columns in order, where there is one without a column's name", () => {
    const { inputs, rowsMax } = inputPlan([spec("x", ["n", 3])], numbers("a", "b", "c"));
    expect(inputs).to.deep.equal([{ name: "x", dataType: "FP32", rowShape: [3], columns: [0, 1, 2], width: 3 }]);
    expect(rowsMax).to.equal(Infinity);
  });

  it("take the columns of their names, and those that may be left out none", () => {
    const { inputs } = inputPlan(
      [spec("b", ["n", 1]), spec("a", ["n"]), spec("z", [1], { optional: true })],
      numbers("a", "b"),
    );
    expect(inputs.map(({ name, rowShape, columns }) => [name, rowShape, columns])).to.deep.equal([
      ["b", [1], [1]],
      ["a", [], [0]],
    ]);
  });

  it("have the shape that the columns give one free size", () => {
    const image: SourceColumn = { name: "features", kind: "number", width: 24, type: "FLOAT" };
    expect(inputPlan([spec("x", ["n", 3, "h", 2])], [image]).inputs[0]!.rowShape).to.deep.equal([3, 4, 2]);
    expect(inputPlan([spec("x", ["n", "places"])], numbers("a", "b", "c"), 1).inputs[0]!.rowShape).to.deep.equal([2]);
  });

  it("are given one row at a time where there is no more room", () => {
    expect(inputPlan([spec("x", [1, 2])], numbers("a", "b")).rowsMax).to.equal(1);
  });

  for (const [title, specs, columns, words] of [
    ["a batch of a fixed size", [spec("x", [4, 2])], numbers("a", "b"), /first axis is free/],
    ["two free sizes", [spec("x", ["n", "h", "w"])], numbers("a", "b"), /at most one size that is free/],
    ["too few columns", [spec("x", ["n", 3])], numbers("a", "b"), /has 2 values .* needed: 3/],
    ["an odd number of columns", [spec("x", ["n", 2, "h"])], numbers("a", "b", "c"), /a multiple of 2/],
    [
      "inputs without columns",
      [spec("agee", ["n"]), spec("sex", ["n"])],
      numbers("age", "sex"),
      /"agee"; the nearest column is "age"/,
    ],
  ] as const) {
    it(`with ${title} are refused`, () => {
      expect(() => inputPlan(specs, columns)).to.throw(words);
    });
  }
});

describe("the values of columns become elements", () => {
  const block = (values: ArrayLike<number>, taken = 1) => ({
    rowCount: values.length,
    values: [Float64Array.from(values as number[])],
    widths: [1],
    taken,
  });

  it("of every type, little-endian", () => {
    const bytes = (dataType: Parameters<typeof columnBytes>[0]) => [
      ...(columnBytes(dataType, block([1])) as Uint8Array),
    ];
    expect(bytes("BOOL")).to.deep.equal([1]);
    expect(bytes("INT16")).to.deep.equal([1, 0]);
    expect(bytes("UINT64")).to.deep.equal([1, 0, 0, 0, 0, 0, 0, 0]);
    expect(bytes("FP16")).to.deep.equal([0, 0x3c]);
    expect(bytes("BF16")).to.deep.equal([0x80, 0x3f]);
    expect(bytes("FP32")).to.deep.equal([0, 0, 0x80, 0x3f]);
    expect(bytes("FP64")).to.deep.equal([0, 0, 0, 0, 0, 0, 0xf0, 0x3f]);
    expect(bytes("BYTES")).to.deep.equal([1, 0, 0, 0, 0x31]);
  });

  it("but for what a type has no room for", () => {
    expect(columnBytes("INT8", block([3, 200]))).to.deep.equal({
      row: 1,
      column: 0,
      seen: "200",
      needed: "a whole number in [-128, 127]",
    });
    expect(columnBytes("INT32", block([0.5]))).to.include({ seen: "0.5" });
    expect(columnBytes("INT64", block([Number.NaN]))).to.include({ seen: "missing" });
  });

  it("column beside column, row after row", () => {
    const two = { rowCount: 2, values: [Float64Array.of(1, 2, 3, 4), Float64Array.of(9, 8)], widths: [2, 1], taken: 3 };
    const { buffer } = columnBytes("FP32", two) as Uint8Array;
    expect([...new Float32Array(buffer)]).to.deep.equal([1, 2, 9, 3, 4, 8]);
  });
});

describe("an output tells classes", () => {
  const graph = (...types: string[]) => ({
    graph: { node: types.map((opType, index) => ({ opType, input: [`v${index}`], output: [`v${index + 1}`] })) },
  });

  it("by probabilities behind a softmax or a sigmoid, whatever moves them, and by scores elsewhere", () => {
    expect(classFormOf(graph("Gemm", "Softmax"), "v2")).to.equal("probabilities");
    expect(classFormOf(graph("Sigmoid", "Reshape", "Cast"), "v3")).to.equal("probabilities");
    expect(classFormOf(graph("Softmax", "Log"), "v2")).to.equal("scores");
    expect(classFormOf(graph("Gemm"), "v1")).to.equal("scores");
    expect(classFormOf({ graph: null }, "v1")).to.equal("scores");
    expect(classFormOf({ graph: { node: [{ opType: "Identity", input: ["a"], output: ["a"] }] } }, "a")).to.equal(
      "scores",
    );
  });
});
