import { expect } from "chai";
import fc from "fast-check";
import type { CsvFormat, DatasetFile } from "../../services/trainer/datasets/formats/file-format.ts";
import { FormatFiles, rowsOf } from "./format-files.ts";

describe("a CSV file", () => {
  const files = new FormatFiles();
  before(() => files.start());
  after(() => files.remove());

  const format = (changes: Partial<CsvFormat> = {}): CsvFormat => {
    return { kind: "csv", header: false, delimiter: ",", missingText: "", ...changes };
  };
  const read = async (text: string, changes: Partial<CsvFormat> = {}, kinds?: DatasetFile["kinds"]) => {
    const relation = await files.relation(text, format(changes), kinds && { kinds });
    return { columns: relation.columns.map(({ name, kind }) => [name, kind]), rows: await rowsOf(relation) };
  };
  const refusal = (text: string, changes: Partial<CsvFormat> = {}) => files.refusal(text, format(changes));

  it("may have a header, quotes, blanks, empty lines, CRLF, a byte order mark and no last newline", async () => {
    const text = '\uFEFFa,b,"c,d",e\r\n\r\n 1 , -2.5e3 , "3" ,4\r\n5,6,7,8';
    const { columns, rows } = await read(text, { header: true });
    expect(columns.map(([name]) => name)).to.deep.equal(["a", "b", "c,d", "e"]);
    expect(rows).to.deep.equal([
      [1, -2500, 3, 4],
      [5, 6, 7, 8],
    ]);
  });

  it("names the line and the column of a number with a blank around it that is neither a space nor a tab", async () => {
    for (const bad of ["2\u00a0", "\u00a02", "\u00a0"]) {
      expect(await refusal(`1,1\n1,${bad}\n`)).to.include(`line 2, column 2 is ${JSON.stringify(bad)}`);
    }
    expect((await read("1,1\n1,\t2 \n")).rows).to.deep.equal([
      [1, 1],
      [1, 2],
    ]);
  });

  it("may begin with empty lines and have a header over several lines", async () => {
    const { columns, rows } = await read('\n\n"a\nb",c\n1,2\n', { header: true });
    expect(columns.map(([name]) => name)).to.deep.equal(["a\nb", "c"]);
    expect(rows).to.deep.equal([[1, 2]]);
  });

  it("has columns of numbers where the first value is one, and of texts elsewhere", async () => {
    const { columns, rows } = await read('1,x,\n2,"y ""z"", w",3\n');
    expect(columns).to.deep.equal([
      ["column0", "number"],
      ["column1", "text"],
      ["column2", "number"],
    ]);
    expect(rows).to.deep.equal([
      [1, "x", null],
      [2, 'y "z", w', 3],
    ]);
  });

  it("has texts where it is told so, however they begin", async () => {
    const kinds = new Map([["code", "category"]] as const);
    expect((await read("code,n\n007,1\n A1 ,2\n", { header: true }, kinds)).rows).to.deep.equal([
      ["007", 1],
      ["A1", 2],
    ]);
  });

  it("has missing values where nothing, blanks or the text for them is", async () => {
    const { rows } = await read("1,a\n,\n  , \n NA ,NA\nNA, NA\n", { missingText: "NA" });
    expect(rows).to.deep.equal([[1, "a"], ...Array.from({ length: 4 }, () => [null, null])]);
  });

  it("has categories as numbers where all of them are, and as texts otherwise", async () => {
    const kinds = new Map([["column0", "category"]] as const);
    expect((await read("1\n2\n", {}, kinds)).rows).to.deep.equal([[1], [2]]);
    expect((await read("1\n2a\n", {}, kinds)).rows).to.deep.equal([["1"], ["2a"]]);
  });

  it("is refused for a first value that is no number where numbers are said to be", async () => {
    const said = { kinds: new Map([["column1", "number"]] as const) };
    expect(await files.refusal("1,x\n", format(), said)).to.contain('line 1, column 2 is "x"; needed: a finite number');
  });

  it("has times where they are said to be, in UTC, or the numbers that stand for them", async () => {
    const said = { kinds: new Map([["column0", "time"]] as const) };
    const times = async (text: string) => {
      const { columns, connection } = await files.relation(text, format(), said);
      const rows = (await connection.runAndReadAll("SELECT epoch_ms(c0)::BIGINT FROM rows")).getRowsJson();
      return { kind: columns[0]!.kind, ms: rows.map(([ms]) => ms && Number(ms)) };
    };
    const zoned = "2024-02-29,1\n2024-02-29T12:30:00Z,1\n 2024-02-29 12:30:00.5 ,1\n,1\n";
    const day = Date.UTC(2024, 1, 29);
    expect(await times(zoned)).to.deep.equal({ kind: "time", ms: [day, day + 45_000_000, day + 45_000_500, null] });
    expect((await files.relation("17,1\n", format(), said)).columns[0]!.kind).to.equal("number");
    for (const bad of ["2023-02-29", "yesterday", "2023-01-01T25:00:00Z", "2023-01-01T12:00:00+02:00"]) {
      expect(await files.refusal(`2024-01-01,1\n${bad},1\n`, format(), said)).to.contain(
        `line 2, column 1 is "${bad}"; needed: a date or a time in UTC, such as 2026-11-30`,
      );
    }
  });

  it("may use another delimiter", async () => {
    expect((await read("1\t2\n3\t4\n", { delimiter: "\t" })).rows).to.deep.equal([
      [1, 2],
      [3, 4],
    ]);
  });

  it("keeps empty lines of a single column, as rows without a value", async () => {
    expect((await read("1\n\n2\n")).rows).to.deep.equal([[1], [null], [2]]);
  });

  it("says in which line a row is", async () => {
    const relation = await files.relation('a,b\n\n1,"x\ny"\n\n2,z\n', format({ header: true }));
    expect(await relation.placeOf(0)).to.equal("line 3");
    expect(await relation.placeOf(1)).to.equal("line 6");
  });

  it("keeps every row of a large file, in its order", async () => {
    const lines = Array.from({ length: 30_000 }, (_, row) => `${row},${row % 7},"t,${row}"`);
    const relation = await files.relation(lines.join("\n"), format());
    expect(relation.rowCount).to.equal(30_000);
    const query = "SELECT count(*) FROM rows WHERE row = c0 AND c0 % 7 = c1 AND c2 = 't,' || c0::INTEGER";
    expect((await relation.connection.runAndReadAll(query)).getRowsJson()).to.deep.equal([["30000"]]);
  });

  for (const [what, text, changes, message] of [
    ["a line that is too short", "1,2,3\n4,5\n", {}, "line 2 has 2 columns; needed: 3, as in line 1"],
    ["a line that is too long", "a,b\n1,2\n1,2,3", { header: true }, "line 3 has 3 columns; needed: 2, as in line 1"],
    ["a line of blanks", "1,2\n  \n", {}, "line 2 has 1 column; needed: 2, as in line 1"],
    ["a word", "1,2\n3,abc\n", {}, 'line 2, column 2 is "abc"; needed: a finite number, as FP32 holds it'],
    [
      "a hexadecimal number",
      "1,2\n0x10,1\n",
      {},
      'line 2, column 1 is "0x10"; needed: a finite number, as FP32 holds it',
    ],
    ["a number above FP32", "1,1e39\n", {}, 'line 1, column 2 is "1e39"; needed: a finite number, as FP32 holds it'],
    [
      "an infinite number",
      "1,2\n-inf,3\n",
      {},
      'line 2, column 1 is "-inf"; needed: a finite number, as FP32 holds it',
    ],
    ["no number", "1,2\nNaN,3\n", {}, 'line 2, column 1 is "NaN"; needed: a finite number, as FP32 holds it'],
    ["underscores", "1,2\n1_000,3\n", {}, 'line 2, column 1 is "1_000"; needed: a finite number, as FP32 holds it'],
    ["an unclosed quote", '1,2\n3,"4\n5,6\n', {}, "the quote of line 2 is never closed"],
    [
      "a quote inside a value",
      '1,a"b\n',
      {},
      "the file is not CSV: line 1, column 2 has a quote out of place; needed: quotes around all of a value, and doubled ones inside",
    ],
    [
      "another end of a line",
      "1,2\r\n3,4\r\n5,6\n",
      {},
      "line 3 ends with LF, and those before with CRLF; needed: the same",
    ],
    [
      "a return after feeds",
      '1,"2\r\n"\n3,4\r\n5,6\r\n',
      {},
      "line 3 ends with CRLF, and those before with LF; needed: the same",
    ],
    ["a feed after returns", "1,2\r3,4\r5,6\n", {}, "line 3 ends with LF, and those before with CR; needed: the same"],
    ["an empty file", "", {}, "the file has no rows; needed: at least 1"],
    ["a header without rows", "a,b\n", { header: true }, "the file has no rows; needed: at least 1"],
    [
      "a name twice",
      "a,b,a\n1,2,3\n",
      { header: true },
      'columns 1 and 3 are both named "a"; needed: names that differ',
    ],
    [
      "a column without a name",
      "a,\n1,2\n",
      { header: true },
      "column 2 has no name in the header; needed: a name for each column",
    ],
    ["a line that is too long in bytes", `1,"${"x".repeat(3 * 2 ** 20)}"`, {}, "line 1 has more than 2097152 bytes"],
  ] as const) {
    it(`is refused for ${what}, with line, column and value`, async () => {
      expect(await refusal(text, changes)).to.satisfy((seen: string) =>
        seen.startsWith(`DATASET_INVALID: dataset: ${message}`),
      );
    });
  }

  it("is refused for bytes that are no UTF-8", async () => {
    const bytes = Buffer.from([49, 44, 0xff, 97, 10]);
    expect(await files.refusal(bytes, format())).to.match(/CSV Error on Line: 1: Invalid unicode .* not utf-8 encoded/);
  });

  it("gives the values that were written, or is refused, whatever they are", async () => {
    const value = fc.oneof(
      fc.double({ noNaN: true, noDefaultInfinity: true, min: -1e30, max: 1e30 }).map(String),
      fc.string({ maxLength: 6 }),
    );
    const table = fc.array(fc.tuple(value, value), { minLength: 1, maxLength: 8 });
    await fc.assert(
      fc.asyncProperty(table, fc.constantFrom("\n", "\r\n"), async (drawn, newline) => {
        const rows = [["text", "text"], ...drawn];
        const quotedText = rows
          .map((row) => row.map((text) => `"${text.replaceAll('"', '""')}"`).join(","))
          .join(newline);
        const seen = (await read(quotedText)).rows;
        const trimmed = (text: string) => text.replace(/^[ \t]+|[ \t]+$/g, "") || null;
        expect(seen).to.deep.equal(rows.map((row) => row.map(trimmed)));
      }),
      { numRuns: 25 },
    );
  });

  it("keeps or refuses each record of any text, and never leaves one out", async () => {
    const piece = fc.constantFrom("1", "a", '"', '""', ",", "\n", "\r\n", " ", "_", "2.5", "\n\n");
    await fc.assert(
      fc.asyncProperty(fc.array(piece, { maxLength: 20 }), async (pieces) => {
        const text = pieces.join("");
        const outcome = await files.relation(text, format()).catch((failure: Error) => failure);
        if (outcome instanceof Error) {
          expect(outcome.message).to.match(/^dataset: /);
        } else if (!text.includes('"') && outcome.columns.length > 1) {
          // Without quotes each line with something on it is a record.
          expect(outcome.rowCount).to.equal(text.split(/\r?\n/).filter((line) => line !== "").length);
        }
      }),
      { numRuns: 40 },
    );
  });
});
