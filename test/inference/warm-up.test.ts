import { expect } from "chai";
import fc from "fast-check";
import { messageOf } from "../../lib/errors.ts";
import { Random } from "../../lib/random.ts";
import { type DataType, elementBytes, type Signature } from "../../lib/tensor.ts";
import { checkByteStrings } from "../../services/inference/tensors/byte-strings.ts";
import { measuredBatchSize, smallestNearBest } from "../../services/inference/warm-up/batch-size.ts";
import { withInitialStates } from "../../services/inference/warm-up/initial-states.ts";
import { type WarmUp, warmUpInputs } from "../../services/inference/warm-up/warm-up-inputs.ts";

const zeros: WarmUp = { kind: "zeros", rowCount: 1, runCount: 1, inputs: [] };
const random = new Random(1);
const taking = (dataType: DataType, shape: Signature["inputs"][0]["shape"], optional = false): Signature => ({
  inputs: [{ name: "x", dataType, shape, ...(optional && { optional }) }],
  outputs: [],
});
const made = (signature: Signature, warmUp: Partial<WarmUp> = {}) =>
  warmUpInputs(signature, { ...zeros, ...warmUp }, () => random.uniform());

describe("the inputs of a warm-up", () => {
  it("have the shape of the signature, the rows as the first symbolic axis, and 1 for all others", () => {
    const [x] = made(taking("FP32", ["batch", 3, "width"]), { rowCount: 5 });
    expect(x).to.deep.include({ name: "x", dataType: "FP32", shape: [5, 3, 1] });
    expect([...x.bytes]).to.deep.equal(Array(60).fill(0));
    expect(made(taking("INT8", [4, "n"]))[0].shape).to.deep.equal([4, 1]);
    expect(made(taking("INT8", []))[0].bytes.length).to.equal(1);
  });

  it("are what the warm-up gives, to the byte, in a buffer of their own", () => {
    const bytes = Buffer.from([1, 0, 2, 0]);
    const [x] = made(taking("INT16", ["n"]), { inputs: [{ name: "x", shape: [2], bytes }] });
    expect([x.shape, [...x.bytes]]).to.deep.equal([[2], [1, 0, 2, 0]]);
    expect(x.bytes.buffer.byteLength).to.equal(4);
    expect(x.bytes.buffer).not.to.equal(bytes.buffer);
  });

  it("leave optional inputs out that they do not name", () => {
    expect(made(taking("FP32", ["n"], true))).to.deep.equal([]);
    expect(
      made(taking("FP32", ["n"], true), { inputs: [{ name: "x", shape: [2], bytes: Buffer.alloc(0) }] }).length,
    ).to.equal(1);
  });

  for (const dataType of ["FP32", "BYTES"] as const) {
    it(`hold the event loop up by few random ${dataType} of very many, all of them there`, () => {
      let count = 0;
      const counted = () => {
        count++;
        return random.uniform();
      };
      for (const elements of [4096, 4097, 10_000_001]) {
        const [{ bytes }] = warmUpInputs(taking(dataType, [elements]), { ...zeros, kind: "random" }, counted);
        if (dataType === "FP32") expect(bytes.length).to.equal(4 * elements);
        else checkByteStrings(bytes, elements, "x");
        expect(bytes.subarray(-9).every((byte) => byte === 0)).to.equal(false);
      }
      expect(count).to.be.below(20_000);
    });
  }

  it("may be ever so many empty texts", () => {
    const [{ bytes }] = made(taking("BYTES", [10_000_000]));
    checkByteStrings(bytes, 10_000_000, "x");
    expect(bytes.length).to.equal(40_000_000);
  });

  for (const dataType of Object.keys(elementBytes) as DataType[]) {
    it(`may be random ${dataType}: finite, whole numbers 0 or 1`, () => {
      const [{ bytes }] = made(taking(dataType, ["n"]), { kind: "random", rowCount: 64 });
      if (dataType === "BYTES") return void expect(bytes.length).to.be.within(64 * 4, 64 * 12);
      expect(bytes.length).to.equal(64 * elementBytes[dataType]!);
      expect(new Set(bytes).size).to.be.above(1);
      const { buffer } = bytes;
      if (dataType === "FP32")
        expect([...new Float32Array(buffer as ArrayBuffer)].every((one) => one >= 0 && one <= 1)).to.equal(true);
      else if (dataType === "FP64")
        expect([...new Float64Array(buffer as ArrayBuffer)].every((one) => one >= 0 && one < 1)).to.equal(true);
      else if (dataType === "FP16")
        expect([...new Uint16Array(buffer as ArrayBuffer)].every((one) => one >> 10 === 15)).to.equal(true);
      else if (dataType === "BF16")
        expect([...new Uint16Array(buffer as ArrayBuffer)].every((one) => one >> 7 === 127)).to.equal(true);
      else expect([...bytes].every((one) => one < 2)).to.equal(true);
    });
  }

  const refused: readonly [string, Signature, Partial<WarmUp>, string][] = [
    [
      "an input that the model has not",
      taking("FP32", ["n"]),
      { inputs: [{ name: "y", shape: [], bytes: Buffer.alloc(0) }] },
      "names the input 'y'; needed: one of 'x'",
    ],
    [
      "another number of dimensions",
      taking("FP32", ["n"]),
      { inputs: [{ name: "x", shape: [1, 2], bytes: Buffer.alloc(0) }] },
      "has shape [1, 2]; needed: [n]",
    ],
    [
      "bytes that are not those of the shape",
      taking("FP32", ["n"]),
      { inputs: [{ name: "x", shape: [2], bytes: Buffer.alloc(7) }] },
      "has 7 bytes; shape [2] needs 8",
    ],
    ["no shape for any number of dimensions", taking("FP32", ["..."]), {}, "needed: a shape"],
    [
      "more bytes than a run may take",
      taking("FP64", ["n", 1024]),
      { rowCount: 65_536 },
      "larger than 268435456 bytes",
    ],
  ];
  for (const [what, signature, warmUp, text] of refused) {
    it(`are refused with ${what}`, () => {
      let message = "";
      try {
        made(signature, warmUp);
      } catch (fault) {
        message = messageOf(fault);
      }
      expect(message).to.contain("warm-up").and.to.contain(text);
    });
  }
});

describe("the states of a warm-up", () => {
  const signature: Signature = {
    inputs: [
      { name: "x", dataType: "FP32", shape: ["n", 2] },
      { name: "history", dataType: "FP32", shape: ["n", "t"] },
      { name: "mask", dataType: "INT8", shape: ["k"] },
    ],
    outputs: [],
  };
  const state = (inputName: string, initialShape: number[], initialRaw = new Uint8Array()) => ({
    ...{ inputName, outputName: "any", initialShape, initialRaw },
  });
  const sequences = {
    states: [state("history", [-1, 3]), state("mask", [2], Uint8Array.of(7, 8))],
    sequencesMax: 0,
    idleMs: 0,
  };
  const begun = (warmUp: Partial<WarmUp>) =>
    made(signature, withInitialStates({ ...zeros, ...warmUp }, { sequences }, signature)).map(({ shape, bytes }) => [
      ...[shape, [...new Set(bytes)]],
    ]);

  it("are those before the first request of a sequence, with the rows of the warm-up", () => {
    for (const kind of ["zeros", "random"] as const) {
      const [[x], ...states] = begun({ kind, rowCount: 2 });
      expect(x).to.deep.equal([2, 2]);
      expect(states).to.deep.equal([
        [[2, 3], [0]],
        [[2], [7, 8]],
      ]);
    }
    const [, history] = begun({ inputs: [{ name: "x", shape: [5, 2], bytes: new Uint8Array() }] });
    expect(history).to.deep.equal([[5, 3], [0]]);
  });

  it("are what the warm-up says of them where it does", () => {
    const [, history, mask] = begun({ inputs: [{ name: "mask", shape: [1], bytes: Uint8Array.of(9) }] });
    expect([history, mask]).to.deep.equal([
      [[1, 3], [0]],
      [[1], [9]],
    ]);
  });

  it("are refused where they are larger than a run may be, and not made", () => {
    expect(() => begun({ rowCount: 2 ** 40 })).to.throw(
      "the warm-up's input 'history' makes it larger than 268435456 bytes",
    );
  });
});

describe("the number of rows to join", () => {
  const search = (msOf: (rowCount: number) => number, options: { rowCountMax?: number; budgetMs?: number } = {}) => {
    const tried: number[] = [];
    const run = async (rowCount: number) => {
      tried.push(rowCount);
      return msOf(rowCount);
    };
    const found = measuredBatchSize({ rowCountMax: 256, budgetMs: 10_000, ...options, run });
    return found.then((rowCount) => ({ rowCount, tried: [...new Set(tried)] }));
  };

  it("is the largest where every doubling helps, and one where none does", async () => {
    expect((await search((rowCount) => 100 + rowCount)).rowCount).to.equal(256);
    expect(await search((rowCount) => 10 * rowCount)).to.deep.equal({ rowCount: 1, tried: [1, 2, 4] });
  });

  it("is the smallest within 5 % of the best", async () => {
    const { rowCount, tried } = await search((count) => Math.ceil(count / 16) * 26);
    expect([rowCount, tried]).to.deep.equal([16, [1, 2, 4, 8, 16, 32, 64]]);
    await fc.assert(
      fc.property(fc.array(fc.integer({ min: 1, max: 1000 }), { minLength: 1, maxLength: 9 }), (durations) => {
        const times = durations.map((durationMs, power) => ({ rowCount: 2 ** power, durationMs }));
        const rates = times.map((time) => time.rowCount / time.durationMs);
        const enough = 0.95 * Math.max(...rates);
        const index = times.findIndex((time) => time.rowCount === smallestNearBest(times));
        expect(rates[index]! >= enough && rates.slice(0, index).every((rate) => rate < enough)).to.equal(true);
      }),
    );
  });

  it("takes the best of the times of a size: one slow run decides nothing", async () => {
    let runs = 0;
    const { rowCount } = await search((count) => (runs++ % 3 === 0 ? 9000 : 100 + count), { budgetMs: 1e9 });
    expect(rowCount).to.equal(256);
  });

  it("is looked for no longer than the budget allows, nor beyond the rows of a batch", async () => {
    expect((await search(() => 10, { budgetMs: 100 })).tried).to.deep.equal([1, 2]);
    expect((await search(() => 10, { rowCountMax: 9 })).tried).to.deep.equal([1, 2, 4, 8]);
  });
});
