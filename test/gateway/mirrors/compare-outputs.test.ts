import { expect } from "chai";
import fc from "fast-check";
import { encodeMessage } from "../../../lib/rpc/protos.ts";
import { type DataType, elementCount, type Tensor } from "../../../lib/tensor.ts";
import { compareOutputs, type OutputComparison } from "../../../services/gateway/mirrors/compare-outputs.ts";
import { outputsOf } from "../../../services/gateway/mirrors/outputs-of.ts";

const floats = (shape: readonly number[], values: readonly number[], name = "y"): Tensor => {
  const { buffer } = Float32Array.from(values);
  return { name, dataType: "FP32", shape, bytes: new Uint8Array(buffer) };
};
const words = (dataType: DataType, shape: readonly number[], values: readonly number[]): Tensor => {
  const { buffer } = Uint16Array.from(values);
  return { name: "y", dataType, shape, bytes: new Uint8Array(buffer) };
};
const comparedAll = (one: readonly Tensor[], other: readonly Tensor[], elementsMax = 1e6) => {
  const byName = (tensors: readonly Tensor[]) => new Map(tensors.map((tensor) => [tensor.name, tensor]));
  return Object.fromEntries(compareOutputs(byName(one), byName(other), elementsMax));
};
const compared = (one: Tensor, other: Tensor, elementsMax = 1e6) => comparedAll([one], [other], elementsMax).y!;
const numbers = (maxDifference: number, rows: number, agreeing: number): OutputComparison => {
  return { kind: "numbers", maxDifference, rows, agreeing };
};

describe("the outputs of two answers", () => {
  it("differ by their largest difference, and agree in the rows whose greatest elements are in the same place", () => {
    const one = floats([3, 2], [1, 2, 5, 4, 0, 1]);
    expect(compared(one, one)).to.deep.equal(numbers(0, 3, 3));
    expect(compared(one, floats([3, 2], [1, 2, 4, 4.5, 0, 1.25]))).to.deep.equal(numbers(1, 3, 2));
  });

  it("are found as plain arithmetic finds them", () => {
    const value = fc.float({ noNaN: true, noDefaultInfinity: true, min: -1000, max: 1000 });
    const rows = fc.integer({ min: 1, max: 6 }).chain((width) => {
      const row = fc.array(value, { minLength: width, maxLength: width });
      return fc.array(fc.tuple(row, row), { minLength: 1, maxLength: 8 });
    });
    fc.assert(
      fc.property(rows, (pairs) => {
        const width = pairs[0]![0].length;
        const top = (row: readonly number[]) => row.indexOf(Math.max(...row));
        const shape = [pairs.length, width];
        const comparison = compared(
          floats(
            shape,
            pairs.flatMap(([one]) => one),
          ),
          floats(
            shape,
            pairs.flatMap(([, other]) => other),
          ),
        );
        const differences = pairs.flatMap(([one, other]) => one.map((each, index) => Math.abs(each - other[index]!)));
        const agreeing = pairs.filter(([one, other]) => top(one) === top(other)).length;
        const expected =
          width === 1
            ? numbers(Math.max(...differences), 0, 0)
            : numbers(Math.max(...differences), pairs.length, agreeing);
        expect(comparison).to.deep.equal(expected);
      }),
    );
  });

  it("are read as FP16 and BF16 are written", () => {
    // 1, 2, 0.5 and -2; 1, 2, 0.5 and 65504.
    const halves = [0x3c00, 0x4000, 0x3800, 0xc000];
    expect(
      compared(words("FP16", [2, 2], halves), words("FP16", [2, 2], [...halves.slice(0, 3), 0x7bff])),
    ).to.deep.equal(numbers(65506, 2, 1));
    // 1 and 2; 1 and 3.
    expect(compared(words("BF16", [2], [0x3f80, 0x4000]), words("BF16", [2], [0x3f80, 0x4040]))).to.deep.equal(
      numbers(1, 1, 1),
    );
  });

  it("are whole numbers without a loss", () => {
    const whole = (values: readonly bigint[]): Tensor => {
      const { buffer } = BigInt64Array.from(values);
      return { name: "y", dataType: "INT64", shape: [values.length], bytes: new Uint8Array(buffer) };
    };
    expect(compared(whole([2n ** 60n, 1n]), whole([2n ** 60n + 1n, 1n]))).to.deep.equal(numbers(1, 1, 1));
  });

  it("are equal where both are no number or the same infinity, and infinitely different where one is", () => {
    const odd = floats([3], [Number.NaN, Infinity, 1]);
    expect(compared(odd, odd)).to.deep.include({ maxDifference: 0 });
    expect(compared(odd, floats([3], [0, Infinity, 1]))).to.deep.include({ maxDifference: Infinity });
    expect(compared(odd, floats([3], [Number.NaN, -Infinity, 1]))).to.deep.include({ maxDifference: Infinity });
  });

  it("count as missing, or of another form, or as texts", () => {
    const texts = (text: string): Tensor => ({ name: "t", dataType: "BYTES", shape: [1], bytes: Buffer.from(text) });
    expect(
      comparedAll(
        [floats([1, 2], [1, 2]), floats([2], [1, 2], "z"), texts("\x01\0\0\0a")],
        [floats([2, 1], [1, 2]), texts("\x01\0\0\0b")],
      ),
    ).to.deep.equal({ y: { kind: "other-form" }, z: { kind: "missing" }, t: { kind: "texts", areEqual: false } });
    expect(compared(floats([2], [1, 2]), { ...words("FP16", [2], [1, 2]) })).to.deep.equal({ kind: "other-form" });
  });

  it("are looked at in part where they are large: whole rows of them, or elements of rows that are too long", () => {
    const rows = floats(
      [1000, 10],
      Array.from({ length: 10_000 }, (_, index) => index),
    );
    expect(compared(rows, rows, 100)).to.deep.equal(numbers(0, 10, 10));
    const long = floats(
      [2, 5000],
      Array.from({ length: 10_000 }, () => 1),
    );
    expect(compared(long, long, 100)).to.deep.equal(numbers(0, 0, 0));
    const none = floats([0, 10], []);
    expect(compared(none, none, 100)).to.deep.equal(numbers(0, 0, 0));
  });

  it("come from answers as nodes give them, and from no others", () => {
    const answer = (fields: object) => outputsOf(encodeMessage("inference", "inference.ModelInferResponse", fields));
    const output = { name: "y", datatype: "FP32", shape: [1, 2] };
    const raw = Buffer.from(floats([1, 2], [1, 2]).bytes);
    const { y } = Object.fromEntries(answer({ outputs: [output], rawOutputContents: [raw] })!);
    expect({ ...y, bytes: Buffer.from(y!.bytes) }).to.deep.equal({
      name: "y",
      dataType: "FP32",
      shape: [1, 2],
      bytes: raw,
    });
    expect(elementCount(y!.shape)).to.equal(2);
    for (const odd of [
      { outputs: [output], rawOutputContents: [] },
      { outputs: [output], rawOutputContents: [raw.subarray(1)] },
      { outputs: [{ ...output, datatype: "FP33" }], rawOutputContents: [raw] },
      { outputs: [{ ...output, shape: [-1, -2] }], rawOutputContents: [raw.subarray(0, 0)] },
    ]) {
      expect(answer(odd)).to.equal(undefined);
    }
    expect(outputsOf(Buffer.from([0x0a, 9]))).to.equal(undefined);
  });
});
