import { readFileSync } from "node:fs";
import { expect } from "chai";
import type { NumpyFormat } from "../../services/trainer/datasets/formats/file-format.ts";
import { fileOf } from "../repository.ts";
import { FormatFiles, tensorRows } from "./format-files.ts";

const array = (name: string) => readFileSync(fileOf(`test/fixtures/numpy/${name}`));
const numpy: NumpyFormat = { kind: "numpy", features: "x", targets: "y" };

describe("a NumPy file", () => {
  const files = new FormatFiles();
  before(() => files.start());
  after(() => files.remove());

  for (const [name, type, scale] of [
    ["float32", "FP32", 0.5],
    ["big-endian", "FP32", 0.5],
    ["half", "FP32", 0.5],
    ["int64", "INT32", 1],
    ["uint8", "INT32", 1],
  ] as const) {
    it(`of ${name} is a matrix whose last columns are targets`, async () => {
      const tensors = await files.tensors(array(`${name}.npy`), numpy, { targetCount: 1 });
      expect(tensors).to.include({ rowCount: 4, featureType: type, targetType: type });
      expect([tensors.featureShape, tensors.targetShape]).to.deep.equal([[2], [1]]);
      const rows = await tensorRows(tensors);
      expect(rows[1]).to.deep.equal({ features: [3 * scale, 4 * scale], targets: [5 * scale] });
      expect(await tensorRows(tensors)).to.deep.equal(rows);
    });
  }

  it("of bool is 0 and 1", async () => {
    expect((await tensorRows(await files.tensors(array("bool.npy"), numpy)))[0]).to.deep.equal({
      features: [0, 1, 0],
      targets: [],
    });
  });

  it("may hold an array of features and one of targets", async () => {
    const tensors = await files.tensors(array("pair.npz"), numpy);
    expect([tensors.featureShape, tensors.targetShape, tensors.targetType]).to.deep.equal([[3], [], "INT32"]);
    expect((await tensorRows(tensors))[3]).to.deep.equal({ features: [4.5, 5, 5.5], targets: [1] });
  });

  it("may be compressed, and its arrays may have more axes and other names", async () => {
    const tensors = await files.tensors(array("images.npz"), { kind: "numpy", features: "pixels", targets: "labels" });
    expect([tensors.featureShape, tensors.targetShape, tensors.targetType]).to.deep.equal([[3, 2, 2], [1], "FP32"]);
    const rows = await tensorRows(tensors);
    expect(rows[1]).to.deep.equal({ features: Array.from({ length: 12 }, (_, index) => 12 + index), targets: [0.25] });
  });

  const whole = array("float32.npy");
  const longer = Buffer.from(whole);
  longer.write("(9, 3)", longer.indexOf("(4, 3)"), "latin1");
  for (const [what, bytes, message] of [
    [
      "columns first",
      array("columns-first.npy"),
      "the array has its columns one after the other (fortran_order); needed: its rows, as of numpy.ascontiguousarray",
    ],
    ["NaN", array("nan.npy"), 'row 2, column 2 is "NaN"; needed: a finite number, as FP32 holds it'],
    [
      "a number beyond INT32",
      array("wide-int.npy"),
      "row 1, column 2 is 1099511627776; needed: a whole number that INT32 holds",
    ],
    ["one axis", array("vector.npy"), "the array has the shape [4]; needed: rows and columns"],
    ["texts", array("text.npy"), "the array is of <U1; needed: b1, i1, i2, i4, i8, u1, u2, u4, u8, f2, f4, f8"],
    [
      "fewer bytes than its shape needs",
      whole.subarray(0, -1),
      "the array has 175 bytes; needed: 176, for its shape [4, 3]",
    ],
    ["a shape of more than it holds", longer, "the array has 176 bytes; needed: 236, for its shape [9, 3]"],
    ["a cut header", whole.subarray(0, 40), "the array ends 88 bytes too early"],
    ["other bytes", Buffer.from("hello, world"), "the array is no NumPy array: it does not begin with its magic bytes"],
    ["arrays of different lengths", array("uneven.npz"), "the array y has 2 rows; needed: 4, as the array x has"],
    [
      "arrays of other names",
      array("images.npz"),
      "the file has the arrays pixels, labels; needed: one that is called x",
    ],
  ] as const) {
    it(`is refused for ${what}`, async () => {
      expect(await files.refusal(bytes, numpy)).to.equal(`DATASET_INVALID: dataset: ${message}`);
    });
  }

  it("is refused for damage that its archive's checksum shows", async () => {
    const bytes = Buffer.from(array("pair.npz"));
    const place = bytes.indexOf("}", bytes.indexOf("descr")) + 80;
    bytes[place] ^= 1;
    expect(await files.refusal(bytes, numpy)).to.match(
      /^DATASET_INVALID: dataset: the archive is damaged: x\.npy has another checksum$/,
    );
  });
});

describe("a text file", () => {
  const files = new FormatFiles();
  before(() => files.start());
  after(() => files.remove());

  it("is windows of its bytes, end to end, whose targets are one place further", async () => {
    const tensors = await files.tensors("abcdefgh", { kind: "text", tokenizer: "bytes" }, { context: 2 });
    expect(tensors.rowCount).to.equal(2);
    expect(await tensorRows(tensors)).to.deep.equal([
      { features: [97, 98], targets: [98, 99] },
      { features: [100, 101], targets: [101, 102] },
    ]);
  });

  it("may be encoded as byte pairs, special names included as text", async () => {
    const tensors = await files.tensors(
      "hello world\n\nfoo <|endoftext|>",
      { kind: "text", tokenizer: "gpt2" },
      { context: 11 },
    );
    // What tiktoken gives.
    expect((await tensorRows(tensors))[0]!.features).to.deep.equal([
      31373, 995, 198, 198, 21943, 1279, 91, 437, 1659, 5239, 91,
    ]);
  });

  for (const tokenizer of ["gpt2", "cl100k_base", "o200k_base"] as const) {
    it(`has the tokens of the whole where ${tokenizer} encodes it in pieces`, async () => {
      const words = "Über 12345 café!!\n/a (x)\r\n  y's 漢字 don't\n\n\nend.\t";
      const text = words.repeat(Math.ceil((1.2 * 2 ** 20) / Buffer.byteLength(words)));
      const { encode } = await import(`gpt-tokenizer/encoding/${tokenizer === "gpt2" ? "r50k_base" : tokenizer}`);
      const needed: readonly number[] = encode(text);
      const tensors = await files.tensors(text, { kind: "text", tokenizer }, { context: 999 });
      let place = 0;
      for await (const { rowCount, features } of tensors.batches()) {
        for (let row = 0; row < rowCount; row++, place += 1000) {
          expect(features.subarray(row * 999, (row + 1) * 999)).to.deep.equal(
            Int32Array.from(needed.slice(place, place + 999)),
          );
        }
      }
      expect(tensors.rowCount).to.equal(Math.floor(needed.length / 1000));
    });
  }

  it("is refused where it is shorter than a window, and where it is no UTF-8 for byte pairs", async () => {
    expect(await files.refusal("abc", { kind: "text", tokenizer: "bytes" }, { context: 3 })).to.equal(
      "DATASET_INVALID: dataset: the text has 3 tokens; needed: at least 4",
    );
    const latin = Buffer.from([0x61, 0xe9, 0x61]);
    expect(await files.refusal(latin, { kind: "text", tokenizer: "gpt2" }, { context: 1 })).to.contain(
      "the text is no UTF-8",
    );
  });
});
