import { expect } from "chai";
import type { DataPlan } from "../../services/trainer/datasets/columns/data-plan.ts";
import { rowForm } from "../../services/trainer/datasets/columns/row-form.ts";
import { networkOf } from "../../services/trainer/graph/network-spec.ts";
import { type Columns, classes, column, form, refusal } from "./preparing.ts";

/** A network of one token. */
const tokens = (tokenCount: number) =>
  rowForm(
    networkOf({
      kind: "layers",
      inputShape: [1],
      layers: [
        { kind: "embedding", tokenCount, width: 2 },
        { kind: "flatten" },
        { kind: "linear", inputSize: 2, outputSize: 2 },
      ],
    }),
    classes,
  );

describe("data is refused for", () => {
  const y = [1, 2, 3];
  const texts = { a: ["x", "y", "x"], y };
  for (const [what, columns, changes, of, message] of [
    [
      "an infinite value",
      { a: [1, Infinity, 3], y },
      {},
      form(1),
      'DATASET_INVALID: dataset: line 3, column "a" is Infinity; needed: a finite number, as FP32 holds it',
    ],
    [
      "an infinite target",
      { a: [1, 2, 3], y: [1, 2, -Infinity] },
      {},
      form(1),
      'DATASET_INVALID: dataset: line 4, column "y" is -Infinity; needed: a finite number, as FP32 holds it',
    ],
    [
      "a missing value of which nothing is said",
      { a: [1, undefined, 3], y },
      {},
      form(1),
      'DATASET_INVALID: dataset: line 3, column "a" is missing; needed: a value, or what data.columns says of missing ones',
    ],
    [
      "a missing text",
      { a: ["x", "", "y"], y },
      { columns: [column("a")] },
      form(2),
      'DATASET_INVALID: dataset: line 3, column "a" is missing; needed: a value, or what data.columns says of missing ones',
    ],
    [
      "an infinite category",
      { a: [1, Infinity, 3], y },
      { columns: [column("a", { encoding: { kind: "index" } })] },
      form(1),
      'DATASET_INVALID: dataset: line 3, column "a" is Infinity; needed: a finite number, as FP32 holds it',
    ],
    [
      "categories that FP32 makes one",
      { a: [1, 16_777_217, 16_777_216], y },
      { columns: [column("a", { encoding: { kind: "index" } })] },
      form(1),
      'DATASET_INVALID: dataset: line 3, column "a" is 16777217; needed: a whole number that FP32 holds; or texts, for categories',
    ],
    [
      "a category that FP32 does not hold",
      { a: [1, 1e300, 3], y },
      { columns: [column("a", { encoding: { kind: "index" } })] },
      form(1),
      'DATASET_INVALID: dataset: line 3, column "a" is 1e+300; needed: a finite number, as FP32 holds it',
    ],
    [
      "as many categories as there are tokens",
      { a: ["x", "y", "z"], y: [0, 1, 0] },
      { columns: [column("a")] },
      tokens(3),
      'DATASET_INVALID: dataset: the column "a" has 3 different values; needed: fewer than the network\'s 3 tokens, of which one is for any other value',
    ],
    [
      "a column that it does not have",
      { age: [1, 2, 3], y },
      { columns: [column("agee")] },
      form(1),
      'SPEC_INVALID: data.columns[0].name is "agee"; needed: a column of the file; the nearest is "age"',
    ],
    [
      "a column to split by that it does not have",
      { age: [1, 2, 3], when: [1, 2, 3], y },
      { split: { kind: "time", column: "wen" }, validationShare: 0.5 },
      form(1),
      'SPEC_INVALID: data.split.time.column is "wen"; needed: a column of the file; the nearest is "when"',
    ],
    [
      "texts of which nothing is said",
      texts,
      {},
      form(1),
      'DATASET_INVALID: dataset: line 2, column "a" is "x"; needed: a number, a header that is told of, or an entry of data.columns for the column',
    ],
    [
      "texts that are to be scaled",
      texts,
      { columns: [column("a", { encoding: { kind: "standard" } })] },
      form(1),
      "SPEC_INVALID: data.columns[0] is standard for a feature that holds texts; needed: one of index, one_hot",
    ],
    [
      "times as features",
      { when: [1, 2, 3], y },
      {},
      form(1),
      'SPEC_INVALID: the column "when" is a feature that holds times; needed: numbers or texts, or the role ignored',
    ],
    [
      "a mean of texts",
      texts,
      { columns: [column("a", { missing: { kind: "mean" } })] },
      form(2),
      "SPEC_INVALID: data.columns[0].mean is set for a column of texts; needed: drop_row, most_frequent or constant",
    ],
    [
      "too many categories",
      { a: ["x", "y", "z"], y },
      { columns: [column("a", { encoding: { kind: "one_hot", categoriesMax: 2, ignoreUnknown: false } })] },
      form(3),
      'DATASET_INVALID: dataset: the column "a" has more than 2 different values in the training rows; needed: at most 2, one_hot.categories_max',
    ],
    [
      "a category that the training rows do not have",
      { a: ["x", "y", "z"], y, part: ["training", "training", "validation"] },
      {
        columns: [column("a")],
        split: { kind: "given", column: "part", validation: "validation", training: "training" },
      },
      form(2),
      'DATASET_INVALID: dataset: line 4, column "a" is "z"; needed: one of the categories of the training rows, "x", "y"',
    ],
    [
      "one class only",
      { a: [1, 2, 3], y: [1, 1, 1] },
      {},
      form(1, 3, classes),
      "DATASET_INVALID: dataset: the training rows have only the class 1; needed: at least 2 classes",
    ],
    [
      "one class only, with its name",
      { a: [1, 2, 3], y: ["b", "b", "a"], part: ["t", "t", "v"] },
      { split: { kind: "given", column: "part", validation: "v", training: "t" } },
      form(1, 2, classes),
      'DATASET_INVALID: dataset: the column "y" has 1 class, "b"; needed: 2, as many as the network gives',
    ],
    [
      "more classes than the network gives",
      { a: [1, 2, 3], y: ["c", "b", "a"] },
      {},
      form(1, 2, classes),
      'DATASET_INVALID: dataset: the column "y" has 3 classes, "a", "b", "c"; needed: 2, as many as the network gives',
    ],
    [
      "a class that is out of range",
      { a: [1, 2, 3], y: [0, 1, 2] },
      {},
      form(1, 2, classes),
      'DATASET_INVALID: dataset: line 4, column "y" is 2; needed: a class, a whole number from 0 to 1',
    ],
    [
      "a target that its loss cannot take",
      { a: [1, 2, 3], y: [0, 1, 1.5] },
      {},
      form(1, 1, { kind: "binary_cross_entropy" }),
      "DATASET_INVALID: target 0 of row 3 is 1.5; needed: a number in [0, 1]",
    ],
    [
      "more numbers than the network takes",
      { a: ["x", "y", "z"], b: [1, 2, 3], y },
      { columns: [column("a")] },
      form(3),
      "DATASET_INVALID: dataset: the dataset's 2 feature columns give 4 numbers for each row (\"a\" 3); needed: 3, for the network's input",
    ],
    [
      "a validation part without rows",
      { a: [1, 2, 3], y },
      { validationShare: 0.1 },
      form(1),
      "SPEC_INVALID: validation_share is 0.1; needed: 0, or a share that holds out some of 3 rows",
    ],
    [
      "a training part without rows",
      { a: [1, 2, 3], y },
      { validationShare: 0.9 },
      form(1),
      "SPEC_INVALID: validation_share is 0.9; needed: a share that leaves some of 3 rows to train on",
    ],
    [
      "a given part that no row is of",
      { a: [1, 2, 3], y, part: ["train", "train", "test"] },
      { split: { kind: "given", column: "part", validation: "test", training: "training" } },
      form(1),
      'SPEC_INVALID: data.split.given.training is "training"; needed: a value of "part", such as "train", "test"',
    ],
    [
      "a row that cannot be put into a group",
      { a: [1, 2, 3], group: ["x", undefined, "y"], y },
      { split: { kind: "group", column: "group" }, validationShare: 0.5 },
      form(1),
      'DATASET_INVALID: dataset: line 3, column "group" is missing; needed: a value, which decides whether the row is held out',
    ],
    [
      "nothing but missing values",
      { a: [undefined, undefined, undefined], y },
      { columns: [column("a", { missing: { kind: "mean" } })] },
      form(1),
      'DATASET_INVALID: dataset: the column "a" has no value in the training rows; needed: at least 1',
    ],
    [
      "nothing but rows that are left out",
      { a: [undefined, undefined, undefined], y },
      { columns: [column("a", { missing: { kind: "drop_row" } })] },
      form(1),
      "DATASET_INVALID: dataset: every row is left out, for a missing value; needed: at least 1 that is not",
    ],
  ] as const) {
    it(what, async () => {
      expect(await refusal(columns as Columns, changes as Partial<DataPlan>, of)).to.equal(message);
    });
  }
});
