import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { DuckDBInstance } from "@duckdb/node-api";
import { expect } from "chai";
import type { DatasetFile } from "../../services/trainer/datasets/formats/file-format.ts";
import { FormatFiles, rowsOf } from "./format-files.ts";

describe("an NDJSON file", () => {
  const files = new FormatFiles();
  before(() => files.start());
  after(() => files.remove());

  const format = { kind: "ndjson" } as const;
  const read = async (text: string, kinds?: DatasetFile["kinds"]) => {
    const relation = await files.relation(text, format, kinds && { kinds });
    return { columns: relation.columns.map(({ name, type }) => [name, type]), rows: await rowsOf(relation) };
  };

  it("has a column for each field, however late it comes, and nothing where it is missing or null", async () => {
    const { columns, rows } = await read('{"a":1,"b":"x"}\n\n{"b":null,"a":-2.5e3}\r\n{"c d\\"":true,"e":[1,2]}');
    expect(columns).to.deep.equal([
      ["a", "DOUBLE"],
      ["b", "VARCHAR"],
      ['c d"', "BOOLEAN"],
      ["e", "JSON"],
    ]);
    expect(rows).to.deep.equal([
      [1, "x", null, null],
      [-2500, null, null, null],
      [null, null, true, "[1,2]"],
    ]);
  });

  it("has texts where it is told so, also of numbers", async () => {
    expect((await read('{"a":1}\n{"a":"x"}\n{"a":true}', new Map([["a", "category"]]))).rows).to.deep.equal([
      ["1"],
      ["x"],
      ["true"],
    ]);
  });

  it("has times where they are said to be", async () => {
    const kinds = new Map([["a", "time"]] as const);
    const text = '{"a":"2024-02-29T12:30:00Z"}\n{"a":null}';
    expect(await read(text, kinds)).to.deep.equal({
      columns: [["a", "TIMESTAMP"]],
      rows: [["2024-02-29 12:30:00"], [null]],
    });
    expect(await files.refusal(`${text}\n{"a":"soon"}`, format, { kinds })).to.contain(
      'line 3, column "a" is "soon"; needed: a date or a time',
    );
  });

  it("says in which line a row is", async () => {
    const relation = await files.relation('{"a":1}\n\n{"a":2}', format);
    expect(await relation.placeOf(1)).to.equal("line 3");
  });

  for (const [what, text, message] of [
    ["another type", '{"a":1}\n\n{"a":"x"}\n', 'line 3, column "a" is "x"; needed: a number, as in line 1'],
    ["true among numbers", '{"a":1}\n{"a":true}\n', 'line 2, column "a" is true; needed: a number, as in line 1'],
    ["a number above FP32", '{"a":1e39}\n', 'line 1, column "a" is "1e+39"; needed: a finite number, as FP32 holds it'],
    ["a broken line", '{"a":1}\n{"a":2\n{"a":3}\n', "line 2 is not JSON: "],
    ["two objects on a line", '{"a":1}{"a":2}\n', "line 1 is not JSON: "],
    ["NaN", '{"a":NaN}\n', "line 1 is not JSON: "],
    ["a list", "[1,2]\n", "line 1 is [1,2]; needed: a JSON object"],
    ["a field twice", '{"a":1,"a":2}\n', "the file cannot be read: "],
    [
      "names that differ in case",
      '{"a":1,"A":2}',
      'line 1 has the field "A" beside "a"; needed: names that differ in more than case',
    ],
    ["a field without a name", '{"":1}', "line 1 has a field without a name; needed: a name for each"],
    ["no fields", "{}\n{}\n", "the objects have no fields; needed: at least 1"],
    ["no lines", "\n\n", "the file has no rows; needed: at least 1"],
    ["a line that is too long", `{"a":"${"x".repeat(3 * 2 ** 20)}"}`, "line 1 has more than 2097152 bytes"],
  ] as const) {
    it(`is refused for ${what}, with the line`, async () => {
      const seen = await files.refusal(text, format);
      expect(seen.slice(0, `DATASET_INVALID: dataset: ${message}`.length)).to.equal(
        `DATASET_INVALID: dataset: ${message}`,
      );
    });
  }
});

describe("a Parquet file", () => {
  const files = new FormatFiles();
  before(() => files.start());
  after(() => files.remove());

  const format = { kind: "parquet" } as const;
  const parquet = async (select: string) => {
    const path = join(files.folder, "made.parquet");
    const instance = await DuckDBInstance.create(":memory:");
    const connection = await instance.connect();
    await connection.run(`COPY (${select}) TO '${path}' (FORMAT parquet, ROW_GROUP_SIZE 2048)`);
    connection.closeSync();
    instance.closeSync();
    return readFile(path);
  };

  it("has the columns of its types, in order, also of hostile names", async () => {
    const bytes = await parquet(
      `SELECT 1::TINYINT AS "row", true AS "b; DROP", 1.5::DECIMAL(9,2) AS "c""d", 'x' AS e, DATE '2020-01-02' AS f, [1] AS g, 1.5::FLOAT h`,
    );
    const { columns } = await files.relation(bytes, format);
    expect(columns.map(({ name, type, kind }) => [name, type, kind])).to.deep.equal([
      ["row", "TINYINT", "number"],
      ["b; DROP", "BOOLEAN", "number"],
      ['c"d', "DECIMAL(9,2)", "number"],
      ["e", "VARCHAR", "text"],
      ["f", "DATE", "time"],
      ["g", "INTEGER[]", "other"],
      ["h", "FLOAT", "number"],
    ]);
  });

  it("keeps its order over row groups, and numbers its rows", async () => {
    const relation = await files.relation(await parquet("SELECT range AS a FROM range(20000)"), format, {
      threadCount: 2,
    });
    const seen = (await relation.connection.runAndReadAll("SELECT row, c0 FROM rows")).getRows();
    expect(seen.every(([row, value], index) => Number(row) === index && Number(value) === index)).to.equal(true);
    expect(relation.rowCount).to.equal(20_000);
    expect(await relation.placeOf(6)).to.equal("row 7");
  });

  it("is refused where it is damaged or empty, without the place where it lies", async () => {
    const bytes = await parquet("SELECT range AS a FROM range(100)");
    const refusal = await files.refusal(bytes.subarray(0, bytes.length - 20), format);
    expect(refusal).to.match(/^DATASET_INVALID: dataset: the file cannot be read: /);
    expect(refusal).not.to.contain(files.folder);
    expect(await files.refusal(await parquet("SELECT 1 AS a WHERE false"), format)).to.contain("the file has no rows");
  });
});

describe("a query over a file", () => {
  const files = new FormatFiles();
  before(() => files.start());
  after(() => files.remove());

  for (const [what, query] of [
    ["read another file", "SELECT * FROM read_csv('/etc/hostname', header = false)"],
    ["write one", "COPY (SELECT 1) TO '/tmp/amaas-written.csv'"],
    ["attach a database", "ATTACH '/tmp/amaas-attached.duckdb'"],
    ["load an extension", "INSTALL httpfs"],
    ["take more memory", "SET memory_limit = '100GB'"],
  ] as const) {
    it(`cannot ${what}`, async () => {
      const { connection } = await files.relation("1,2\n", {
        kind: "csv",
        header: false,
        delimiter: ",",
        missingText: "",
      });
      const failure = await connection.run(query).then(
        () => "done",
        (thrown: Error) => thrown.message,
      );
      expect(failure).to.match(/disabled by configuration|configuration has been locked/);
    });
  }

  it("is refused beyond its memory, which the reason says", async () => {
    const wide = Array.from({ length: 2000 }, (_, index) => index).join(",");
    const format = { kind: "csv", header: false, delimiter: ",", missingText: "" } as const;
    expect(await files.refusal(`${wide}\n${wide}\n`, format, { memoryBytesMax: 8 * 2 ** 20 })).to.match(
      /^OUT_OF_MEMORY: dataset: reading the file takes more memory than there is: /,
    );
  });
});
