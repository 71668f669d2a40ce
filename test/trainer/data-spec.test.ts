import { expect } from "chai";
import type { Column__Output } from "../../lib/gen/amaas/trainer/v1/Column.ts";
import type { DataSpec__Output } from "../../lib/gen/amaas/trainer/v1/DataSpec.ts";
import { checkDataSpec } from "../../services/trainer/jobs/data-spec.ts";
import { classes, form } from "./preparing.ts";

const of = (data: Partial<DataSpec__Output>, validationShare = 0.2, rows = form(2, 3, classes)) =>
  checkDataSpec({ columns: [], targetColumns: 0, split: null, ...data }, rows, { validationShare, seed: 1 });
const refusal = (...parts: Parameters<typeof of>) => {
  try {
    of(...parts);
    return "accepted";
  } catch (failure) {
    const { reason, message } = failure as { reason: string; message: string };
    return `${reason}: ${message}`;
  }
};
const column = (fields: Partial<Column__Output>): Column__Output => ({
  name: "a",
  role: "ROLE_UNSPECIFIED",
  ...fields,
});

describe("what a job says of its dataset", () => {
  it("is one target in the last column and a random split where it is nothing", () => {
    expect(checkDataSpec(null, form(1), { validationShare: 0, seed: 7 })).to.deep.equal({
      format: undefined,
      plan: { columns: [], targetCount: 1, split: { kind: "random" }, validationShare: 0, seed: 7 },
    });
  });

  it("has roles, encodings and what is done with missing values", () => {
    const { plan } = of({
      columns: [
        column({ role: "ROLE_TARGET", encoding: "index", index: {} }),
        column({ name: "b", encoding: "oneHot", oneHot: { categoriesMax: 0, ignoreUnknown: true } }),
        column({ name: "c", encoding: "minMax", minMax: {}, missing: "mostFrequent", mostFrequent: {} }),
        column({ name: "d", role: "ROLE_FEATURE", missing: "constant", constant: "3" }),
      ],
    });
    expect(plan.targetCount).to.equal(0);
    expect(plan.columns).to.deep.equal([
      { name: "a", role: "target", encoding: { kind: "index" }, missing: undefined },
      {
        name: "b",
        role: undefined,
        encoding: { kind: "one_hot", categoriesMax: 1024, ignoreUnknown: true },
        missing: undefined,
      },
      { name: "c", role: undefined, encoding: { kind: "min_max" }, missing: { kind: "most_frequent" } },
      { name: "d", role: "feature", encoding: undefined, missing: { kind: "constant", value: "3" } },
    ]);
  });

  it("has a format with its defaults", () => {
    const csv = { header: true, delimiter: "", missingText: "NA" };
    expect(of({ format: "csv", csv }).format).to.deep.equal({ ...csv, kind: "csv", delimiter: "," });
    const numpy = { features: "", targets: "labels" };
    expect(of({ format: "numpy", numpy }).format).to.deep.equal({ kind: "numpy", features: "x", targets: "labels" });
    const images = { width: 28, height: 20, channels: 0, fit: "FIT_UNSPECIFIED" } as const;
    const scaled = { width: 28, height: 20, fit: "fill" };
    expect(of({ format: "images", images }).format).to.deep.equal({ kind: "images", channels: 3, scaled });
    const grey = { width: 0, height: 0, channels: 1, fit: "FIT_UNSPECIFIED" } as const;
    expect(of({ format: "images", images: grey }).format).to.deep.equal({
      kind: "images",
      channels: 1,
      scaled: undefined,
    });
    expect(of({ format: "text", text: { tokenizer: "" } }).format).to.deep.equal({ kind: "text", tokenizer: "bytes" });
    expect(of({ format: "parquet", parquet: {} }).format).to.deep.equal({ kind: "parquet" });
  });

  it("names the values of a given split by default", () => {
    const given = { column: "part", validation: "", training: "" };
    expect(of({ split: { kind: "given", given } }, 0).plan.split).to.deep.equal({
      kind: "given",
      column: "part",
      validation: "validation",
      training: "training",
    });
  });

  for (const [what, data, message, share] of [
    [
      "a delimiter of two characters",
      { format: "csv", csv: { header: false, delimiter: "||", missingText: "" } },
      'data.csv.delimiter is "||"; needed: one ASCII character that is no part of a number or a quote',
    ],
    [
      "a delimiter that numbers have",
      { format: "csv", csv: { header: false, delimiter: ".", missingText: "" } },
      'data.csv.delimiter is "."; needed: one ASCII character that is no part of a number or a quote',
    ],
    [
      "images of half a size",
      { format: "images", images: { width: 0, height: 28, channels: 1, fit: "FIT_COVER" } },
      "data.images.width is 0; needed: a whole number in [1, 4096], or no width and no height",
    ],
    [
      "a fit to no size",
      { format: "images", images: { width: 0, height: 0, channels: 1, fit: "FIT_COVER" } },
      "data.images.fit is FIT_COVER; needed: none without a width and a height",
    ],
    [
      "images of two channels",
      { format: "images", images: { width: 28, height: 28, channels: 2, fit: "FIT_FILL" } },
      "data.images.channels is 2; needed: 1 for grey, or 3 for red, green and blue",
    ],
    [
      "an unknown tokenizer",
      { format: "text", text: { tokenizer: "gpt5" } },
      'data.text.tokenizer is "gpt5"; needed: one of bytes, gpt2, cl100k_base, o200k_base',
    ],
    [
      "columns of what has none",
      { format: "text", text: { tokenizer: "" }, columns: [column({})] },
      "data.columns is set; needed: none, for text",
    ],
    [
      "a column that is said twice",
      { columns: [column({}), column({})] },
      'data.columns[1].name is "a"; needed: one other than that of data.columns[0]',
    ],
    [
      "a column without a name",
      { columns: [column({ name: "" })] },
      "data.columns[0].name is empty; needed: the name of a column",
    ],
    [
      "a column with a name that is too long",
      { columns: [column({ name: "x".repeat(1001) })] },
      "data.columns[0].name is 1001 characters long; needed: at most 1000",
    ],
    [
      "an encoding of an ignored column",
      { columns: [column({ role: "ROLE_IGNORED", encoding: "minMax", minMax: {} })] },
      "data.columns[0].min_max is set; needed: nothing for an ignored column",
    ],
    [
      "too many categories",
      { columns: [column({ encoding: "oneHot", oneHot: { categoriesMax: 100_000, ignoreUnknown: false } })] },
      "data.columns[0].one_hot.categories_max is 100000; needed: a whole number in [1, 65536]",
    ],
    [
      "two target columns of classes",
      { targetColumns: 2 },
      "data.target_columns is 2; needed: 1, the class, for LOSS_CROSS_ENTROPY",
    ],
    [
      "targets that are said in both ways",
      { targetColumns: 1, columns: [column({ role: "ROLE_TARGET" })] },
      "data.target_columns is 1; needed: none beside columns with the role target",
    ],
    [
      "a share of a given split",
      { split: { kind: "given", given: { column: "a", validation: "", training: "" } } },
      "validation_share is 0.2; needed: 0, because data.split.given says which rows",
    ],
    [
      "no share of a split",
      { split: { kind: "stratified", stratified: {} } },
      "validation_share is 0; needed: more than 0, for data.split.stratified",
      0,
    ],
    [
      "a split by no column",
      { split: { kind: "group", group: { column: "" } } },
      "data.split.group.column is empty; needed: the name of a column",
    ],
  ] as const) {
    it(`is refused for ${what}`, () => {
      expect(refusal(data as Partial<DataSpec__Output>, share)).to.equal(`SPEC_INVALID: ${message}`);
    });
  }
});
