import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect } from "chai";
import type { DataPlan } from "../../services/trainer/datasets/columns/data-plan.ts";
import type { RowForm } from "../../services/trainer/datasets/columns/row-form.ts";
import { readDataset } from "../../services/trainer/datasets/read-dataset.ts";
import { classes, column, form, plan, rowsIn } from "./preparing.ts";

describe("a dataset file", function () {
  this.timeout(30_000);
  let folder: string;
  beforeEach(async () => {
    folder = await mkdtemp(join(tmpdir(), "amaas-dataset-"));
  });
  afterEach(() => rm(folder, { recursive: true }));

  async function read(
    text: string,
    changes: Partial<DataPlan>,
    rows: RowForm,
    header = true,
    memoryBytesMax = 2 ** 20,
  ) {
    const own = await mkdtemp(join(folder, "read-"));
    const path = join(own, "file.csv");
    await writeFile(path, text);
    const format = { kind: "csv", header, delimiter: ",", missingText: "NA" } as const;
    const file = { path, folder: own, memoryBytesMax: 2 ** 28, threadCount: 1, expandedBytesMax: 2 ** 24 };
    return readDataset(file, { format, plan: { ...plan, ...changes } }, rows, { memoryBytesMax, folder: own });
  }
  const refusal = (...parts: Parameters<typeof read>) =>
    read(...parts).then(
      () => "accepted",
      ({ message }: Error) => message,
    );

  it("becomes the same rows in memory and on disk", async () => {
    const lines = Array.from(
      { length: 500 },
      (_, row) => `${row},${["red", "green", "NA"][row % 3]},${(row * 7) % 100}`,
    );
    const text = `size,colour,price\n${lines.join("\n")}`;
    const columns = [
      column("size", { encoding: { kind: "standard" } }),
      column("colour", { missing: { kind: "most_frequent" } }),
    ];
    const memory = await read(text, { columns, validationShare: 0.3 }, form(3));
    const disk = await read(text, { columns, validationShare: 0.3 }, form(3), true, 1000);
    expect([memory.training.kind, disk.training.kind]).to.deep.equal(["memory", "disk"]);
    expect(rowsIn(disk.training, "FP32")).to.deep.equal(rowsIn(memory.training, "FP32"));
    expect(rowsIn(disk.validation, "FP32")).to.deep.equal(rowsIn(memory.validation, "FP32"));
    expect(disk.preprocessing).to.deep.equal(memory.preprocessing);
  });

  it("holds out the last rows by a date, or those of a group whose names begin with digits", async () => {
    const text = "day,house,a,y\n2026-11-30,1,5,50\n2026-02-01,1b,6,60\n2026-10-01,1b,7,70\n2026-03-01,1b,8,80\n";
    const columns = [column("house", { role: "ignored" })];
    const byTime = { columns, split: { kind: "time", column: "day" }, validationShare: 0.25 } as const;
    expect(rowsIn((await read(text, byTime, form(1))).validation, "FP32")).to.deep.equal([[5, 50]]);
    const days = [column("day", { role: "ignored" })];
    const byHouse = { columns: days, split: { kind: "group", column: "house" }, validationShare: 0.25 } as const;
    const heldOut = rowsIn((await read(text, byHouse, form(1))).validation, "FP32");
    expect(heldOut).to.deep.equal([
      [6, 60],
      [7, 70],
      [8, 80],
    ]);
  });

  it("names the line and the column of a value that is missing", async () => {
    const message = await refusal("a,y\n1,2\nNA,3\n", {}, form(1));
    expect(message).to.equal(
      'dataset: line 3, column "a" is missing; needed: a value, or what data.columns says of missing ones',
    );
  });

  it("names the line of a class that is out of range", async () => {
    const message = await refusal("1,0\n2,1\n\n3,5\n", {}, form(1, 2, classes), false);
    expect(message).to.equal('dataset: line 4, column "column1" is 5; needed: a class, a whole number from 0 to 1');
  });

  it("may be split by texts, and has classes by their names", async () => {
    const text = "a,group,y\n1,x,no\n2,y,yes\n3,x,no\n4,y,yes\n5,z,no\n6,z,yes\n";
    const split = { kind: "group", column: "group" } as const;
    const data = await read(text, { split, validationShare: 0.3 }, form(1, 2, classes));
    expect(data.classNames).to.deep.equal(["no", "yes"]);
    expect(rowsIn(data.validation).map(([row]) => Math.round(row!))).to.deep.equal([2, 4]);
  });
});
