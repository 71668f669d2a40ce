import { mkdir, readFile } from "node:fs/promises";
import { join } from "node:path";
import { DuckDBInstance } from "@duckdb/node-api";
import { expect } from "chai";
import type { FileFormat } from "../../services/trainer/datasets/formats/file-format.ts";
import { inspectDataset } from "../../services/trainer/datasets/inspection/inspect-dataset.ts";
import { image, zipOf } from "./archive-files.ts";
import { FormatFiles } from "./format-files.ts";

describe("what is in a dataset", () => {
  const files = new FormatFiles();
  before(() => files.start());
  after(() => files.remove());

  let count = 0;
  const inspected = async (content: string | Uint8Array, format?: FileFormat, previewRows = 10) => {
    const folder = join(files.folder, `inspected${count++}`);
    await mkdir(folder);
    const bounds = { memoryBytesMax: 2 ** 29, expandedBytesMax: 2 ** 28, threadCount: 1 };
    return inspectDataset({ path: await files.written(content), folder, format, ...bounds }, previewRows);
  };

  it("is told by column: missing and different values, moments, and what is most frequent", async () => {
    const text = "size,kind\n1,a\n2,b\n,a\n4,\n";
    const facts = await inspected(text, { kind: "csv", header: true, delimiter: ",", missingText: "" }, 3);
    expect(facts.format).to.equal("csv");
    expect(facts.rowCount).to.equal(4);
    const [size, kind] = facts.columns;
    expect(size).to.include({ name: "size", type: "DOUBLE", missingCount: 1, distinctCount: 3, min: 1, max: 4 });
    expect(size!.mean).to.be.closeTo(7 / 3, 1e-12);
    expect(size!.deviation).to.be.closeTo(Math.sqrt(14 / 9), 1e-12);
    expect(kind).to.deep.equal({
      ...{ name: "kind", type: "VARCHAR", missingCount: 1, distinctCount: 2 },
      ...{ min: undefined, max: undefined, mean: undefined, deviation: undefined },
      mostFrequent: [
        { value: "a", count: 2 },
        { value: "b", count: 1 },
      ],
    });
    expect(facts.preview).to.deep.equal([{ values: ["1.0", "a"] }, { values: ["2.0", "b"] }, { values: ["", "a"] }]);
  });

  it("leaves infinite numbers out of moments, counts NaN as missing, and shows lists and long texts", async () => {
    const path = join(files.folder, "hostile.parquet");
    const connection = await (await DuckDBInstance.create(":memory:")).connect();
    const numbers = "(VALUES (1::DOUBLE), ('NaN'::DOUBLE), ('Infinity'::DOUBLE), (3)) AS t(n)";
    await connection.run(`COPY (SELECT n, repeat('x', 300) AS s, [1, 2] AS l FROM ${numbers}) TO '${path}'`);
    const { columns, preview } = await inspected(await readFile(path));
    expect(columns[0]).to.include({ missingCount: 1, distinctCount: 3, min: 1, max: 3, mean: 2, deviation: 1 });
    expect(columns[2]).to.include({ type: "INTEGER[]", missingCount: 0, distinctCount: 1 });
    expect(preview[0]!.values).to.deep.equal(["1.0", `${"x".repeat(256)}…`, "[1, 2]"]);
  });

  it("estimates how many values there are where there are very many, and names none of them", async () => {
    const lines = Array.from({ length: 30_000 }, (_, row) => `${row}`).join("\n");
    const { columns } = await inspected(lines);
    expect(columns[0]!.distinctCount).to.be.within(25_000, 35_000);
    expect(columns[0]!.mostFrequent).to.deep.equal([]);
  });

  it("is told of images by their pixels and classes", async () => {
    const archive = zipOf([
      { name: "a/1.png", bytes: await image("png", "#000000") },
      { name: "b/2.png", bytes: await image("png", "#ffffff") },
      { name: "b/3.png", bytes: await image("png", "#ffffff") },
    ]);
    const { rowCount, columns, preview } = await inspected(archive, {
      kind: "images",
      channels: 3,
      scaled: { width: 2, height: 1, fit: "fill" },
    });
    expect(rowCount).to.equal(3);
    expect(columns[0]).to.include({
      name: "features",
      type: "FP32[3, 1, 2]",
      min: 0,
      max: 255,
      mean: 170,
      distinctCount: 2,
    });
    expect(columns[1]).to.include({ name: "targets", type: "INT32[]" });
    expect(columns[1]!.mostFrequent).to.deep.equal([
      { value: "b", count: 2 },
      { value: "a", count: 1 },
    ]);
    expect(preview[1]).to.deep.equal({ values: ["255, 255, 255, 255, 255, 255", "b"] });
  });

  it("is told of a text by its tokens", async () => {
    const { rowCount, columns } = await inspected("abca", { kind: "text", tokenizer: "bytes" });
    expect(rowCount).to.equal(4);
    expect(columns).to.have.length(1);
    expect(columns[0]!.mostFrequent[0]).to.deep.equal({ value: "97", count: 2 });
  });
});
