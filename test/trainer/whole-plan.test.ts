import { expect } from "chai";
import type { SplitPlan } from "../../services/trainer/datasets/columns/data-plan.ts";
import { usedColumns } from "../../services/trainer/datasets/columns/used-columns.ts";
import { wholePlan } from "../../services/trainer/datasets/columns/whole-plan.ts";
import { kindsOf } from "../../services/trainer/served/said-kinds.ts";
import { column, plan } from "./preparing.ts";
import { tableSource } from "./table-source.ts";

const signature = { inputs: [{ name: "a", dataType: "FP32", shape: ["?", 1] }], outputs: [] } as const;
const use = { tokens: false, classes: false };
const names = (columns: readonly { readonly name: string }[]) => columns.map(({ name }) => name);

describe("a version that is measured on all rows of another file", () => {
  for (const split of [
    { kind: "time", column: "by" },
    { kind: "group", column: "by" },
  ] as const satisfies readonly SplitPlan[]) {
    const data = { ...plan, split, validationShare: 0.5 };

    it(`takes the column of a split by ${split.kind} neither as a feature nor as the target`, () => {
      for (const order of [
        { by: [1, 2], a: [1, 2], y: [1, 2] },
        { a: [1, 2], y: [1, 2], by: [1, 2] },
      ]) {
        const { features, targets, splitBy } = usedColumns(tableSource(order).columns, wholePlan(data), use);
        expect([names(features), names(targets), splitBy]).to.deep.equal([["a"], ["y"], undefined]);
      }
    });

    it(`takes it as the plan says, where it says so, and needs none: ${split.kind}`, () => {
      const said = wholePlan({ ...data, columns: [column("by", { role: "feature" })] });
      expect(names(usedColumns(tableSource({ by: [1], a: [1], y: [1] }).columns, said, use).features)).to.include("by");
      const without = wholePlan(data, (name) => name !== "by");
      expect(names(usedColumns(tableSource({ a: [1], y: [1] }).columns, without, use).features)).to.deep.equal(["a"]);
    });
  }

  it("reads columns as the model has them, and others as the training has read them", () => {
    const split = { kind: "time", column: "day" } as const;
    const columns = [column("a", { role: "ignored" }), column("note", { role: "ignored" })];
    expect([...kindsOf(signature, { columns, split })]).to.have.deep.members([
      ["day", "time"],
      ["a", "number"],
      ["note", "category"],
    ]);
    expect(kindsOf(signature, wholePlan({ ...plan, columns, split })).get("day")).to.equal("category");
  });
});
