import { expect } from "chai";
import { textsOf } from "../../lib/byte-strings.ts";
import { withLabels } from "../../lib/onnx/labels.ts";
import { readModel } from "../../lib/onnx/model.ts";
import { signatureOf } from "../../lib/onnx/signature.ts";
import { type DataType, elementBytes, type Signature, type Tensor } from "../../lib/tensor.ts";
import { classCountsOf, classified } from "../../services/inference/tensors/classification.ts";
import { labelledModel } from "./labelled-model.ts";
import { bytesOf, received } from "./wire.ts";

const signatureWith = (spec: Partial<Signature["outputs"][0]>): Signature => ({
  inputs: [],
  outputs: [{ name: "y", dataType: "FP32", shape: ["n", 3], ...spec }],
});
const wanting = (classification: object) => received({ outputs: [{ name: "y", parameters: { classification } }] });
const tensorOf = (array: ArrayBufferView, shape: readonly number[], dataType: DataType = "FP32"): Tensor => ({
  name: "y",
  dataType,
  shape,
  bytes: bytesOf(array),
});
/** The shape and the texts of the classes of one tensor. */
const classesOf = (tensor: Tensor, count: number, signature = signatureWith({})) => {
  const [{ dataType, shape, bytes }] = classified(
    [tensor],
    classCountsOf(wanting({ int64Param: count }), signature),
    signature,
  );
  expect(dataType).to.equal("BYTES");
  return [shape, textsOf(bytes)];
};

describe("classes of an output", () => {
  const rows = Float32Array.of(0.1, 0.7, 0.2, 5, 5, -1);

  it("are the largest values of each row with their indices, the first of equals first", () => {
    expect(classesOf(tensorOf(rows, [2, 3]), 2)).to.deep.equal([
      [2, 2],
      ["0.700000:1", "0.200000:2", "5.000000:0", "5.000000:1"],
    ]);
  });

  it("are as many as there are values at most", () => {
    expect(classesOf(tensorOf(rows, [2, 3]), 9)[0]).to.deep.equal([2, 3]);
    expect(classesOf(tensorOf(new Float32Array(), [0, 3]), 2)).to.deep.equal([[0, 2], []]);
  });

  it("are those of all elements where the first axis is not the rows'", () => {
    const fixed = signatureWith({ shape: [2, 3] });
    expect(classesOf(tensorOf(rows, [2, 3]), 1, fixed)).to.deep.equal([[1], ["5.000000:3"]]);
    expect(classesOf(tensorOf(rows, [6]), 1, signatureWith({ shape: ["n"] }))).to.deep.equal([[1], ["5.000000:3"]]);
    expect(classesOf(tensorOf(Float32Array.of(2), []), 1, signatureWith({ shape: [] }))).to.deep.equal([
      [1],
      ["2.000000:0"],
    ]);
  });

  it("are of any numbers; what is none comes last", () => {
    const of = (array: ArrayBufferView, dataType: DataType) => {
      const count = array.byteLength / elementBytes[dataType]!;
      return classesOf(tensorOf(array, [1, count], dataType), 3, signatureWith({ dataType }))[1];
    };
    expect(of(BigInt64Array.of(-1n, 2n ** 62n), "INT64")).to.deep.equal(["4611686018427387904:1", "-1:0"]);
    expect(of(Uint8Array.of(0, 1), "BOOL")).to.deep.equal(["1:1", "0:0"]);
    expect(of(Float64Array.of(Number.NaN, 1, Infinity), "FP64")).to.deep.equal(["Infinity:2", "1.000000:1", "NaN:0"]);
    expect(of(Uint16Array.of(0x3c00, 0xc000, 0x0001), "FP16")).to.deep.equal([
      "1.000000:0",
      "0.000000:2",
      "-2.000000:1",
    ]);
    expect(of(Uint16Array.of(0x3f80, 0xc000, 0x7fc0), "BF16")).to.deep.equal(["1.000000:0", "-2.000000:1", "NaN:2"]);
    expect(of(Int8Array.of(-3, 3), "INT8")).to.deep.equal(["3:1", "-3:0"]);
  });

  it("have the labels of the model, as far as there are some", () => {
    const labelled = signatureWith({ labels: ["cat", "dog"] });
    expect(classesOf(tensorOf(rows, [2, 3]), 2, labelled)[1]).to.deep.equal([
      "0.700000:1:dog",
      "0.200000:2",
      "5.000000:0:cat",
      "5.000000:1:dog",
    ]);
  });

  it("leave other outputs as they are", () => {
    const tensor = tensorOf(rows, [2, 3]);
    expect(classified([tensor], new Map([["z", 1]]), signatureWith({}))).to.deep.equal([tensor]);
  });

  for (const [what, classification, dataType, text] of [
    ["none", { int64Param: 0 }, "FP32", "is 0; needed: an int64_param from 1 to 1000"],
    ["very many", { uint64Param: 1001 }, "FP32", "is 1001; needed: an int64_param from 1 to 1000"],
    ["a text of them", { stringParam: "3" }, "FP32", "is stringParam; needed: an int64_param from 1 to 1000"],
    ["those of texts", { int64Param: 1 }, "BYTES", "is for numbers, and the output has BYTES"],
  ] as const) {
    it(`are refused where a request wants ${what}`, () => {
      expect(() => classCountsOf(wanting(classification), signatureWith({ dataType })))
        .to.throw(`the parameter 'classification' of output 'y' ${text}`)
        .that.includes({ reason: "REQUEST_INVALID" });
    });
  }
});

describe("the labels of a model", () => {
  const labelsOf = (metadata: Record<string, string>) => {
    const model = readModel(labelledModel(metadata));
    return withLabels(signatureOf(model), model).outputs[0].labels;
  };

  it("are one per line, or a JSON list, for one output or for all", () => {
    expect(labelsOf({})).to.equal(undefined);
    expect(labelsOf({ labels: "cat\r\ndog\n" })).to.deep.equal(["cat", "dog"]);
    expect(labelsOf({ labels: '["cat", "dog, big"]' })).to.deep.equal(["cat", "dog, big"]);
    expect(labelsOf({ labels: "all", "labels:y": "mine" })).to.deep.equal(["mine"]);
    expect(labelsOf({ labels: "[cat]\ndog" })).to.deep.equal(["[cat]", "dog"]);
  });
});
