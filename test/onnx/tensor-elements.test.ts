import { expect } from "chai";
import { ServiceError } from "../../lib/errors.ts";
import { arrays, elementsOf, elementTypes, type NumericDataType } from "../../lib/onnx/element-type.ts";
import type { TensorProto } from "../../lib/onnx/model.ts";
import { elementsIn, sparseElements } from "../../lib/onnx/tensor-elements.ts";

const numbers = [1, 0, 1, 1];
const fields = {
  FP32: "floatData",
  FP64: "doubleData",
  INT64: "int64Data",
  UINT64: "uint64Data",
  UINT32: "uint64Data",
};
const none = new Map<string, Uint8Array>();

describe("the elements of a tensor", () => {
  for (const dataType of Object.keys(arrays) as NumericDataType[]) {
    const tensor = { name: "w", dims: [2, 2], dataType: elementTypes[dataType] };
    const elements = elementsOf(dataType, numbers);
    const bytes = new Uint8Array(elements.buffer);

    it(`are the same wherever they are kept: ${dataType}`, () => {
      const field = fields[dataType as keyof typeof fields] ?? "int32Data";
      // Behind one byte more, so that they are nowhere where the processor wants them.
      const shifted = Uint8Array.of(0, ...bytes).subarray(1);
      const externalData = [
        { key: "location", value: "weights" },
        { key: "offset", value: "3" },
      ];
      const files = new Map([["weights", Uint8Array.of(9, 9, 9, ...bytes, 9)]]);
      const kept: readonly TensorProto[] = [
        { [field]: numbers },
        { rawData: bytes },
        { rawData: shifted },
        { externalData },
      ];
      for (const each of kept) expect(elementsIn({ ...tensor, ...each }, files)).to.deep.equal(elements);
      expect(elementsIn({ ...tensor, externalData }, none)).to.equal(undefined);
    });
  }

  it("of 64 bits are exact", () => {
    const int64Data = [
      { low: -1, high: 2 ** 31 - 1, unsigned: false },
      { low: 0, high: -(2 ** 31), unsigned: false },
    ];
    const elements = elementsIn({ dims: [2], dataType: elementTypes.INT64, int64Data }, none);
    expect(elements).to.deep.equal(BigInt64Array.of(2n ** 63n - 1n, -(2n ** 63n)));
  });

  it("are not told of texts, complex numbers and small floats", () => {
    for (const dataType of [8, 14, 17, 22]) expect(elementsIn({ dims: [1], dataType }, none)).to.equal(undefined);
  });

  it("of a sparse tensor are all of them, by places or by coordinates", () => {
    const values = { name: "s", dims: [2], dataType: elementTypes.FP32, floatData: [5, 7] };
    const indices = { dataType: elementTypes.INT64 };
    const byPlace = { values, indices: { ...indices, dims: [2], int64Data: [1, 5] }, dims: [2, 3] };
    const byCoordinates = { values, indices: { ...indices, dims: [2, 2], int64Data: [0, 1, 1, 2] }, dims: [2, 3] };
    for (const sparse of [byPlace, byCoordinates]) {
      expect(sparseElements(sparse, none)).to.deep.equal(Float32Array.of(0, 5, 0, 0, 0, 7));
    }
  });

  const faults: Readonly<Record<string, readonly [tensor: TensorProto, why: string]>> = {
    "fewer than its shape says": [
      { dims: [3], floatData: [1, 2] },
      '"w" has 2 elements; needed: 3, as its shape [3] says',
    ],
    "a part of an element": [{ dims: [1], rawData: new Uint8Array(5) }, '"w" has 5 bytes; needed: a multiple of 4'],
    "a dimension below 0": [{ dims: [-1] }, '"w" has a dimension of -1; needed: sizes from 0 to 2^53'],
    "bytes beyond its file": [
      {
        dims: [2],
        externalData: [
          { key: "location", value: "weights" },
          { key: "offset", value: "8" },
        ],
      },
      'keeps its data in bytes 8 to 16 of "weights"; needed: a range within its 12 bytes',
    ],
  };
  for (const [fault, [tensor, why]] of Object.entries(faults)) {
    it(`are refused where there are ${fault}`, () => {
      const files = new Map([["weights", new Uint8Array(12)]]);
      expect(() => elementsIn({ name: "w", dataType: elementTypes.FP32, ...tensor }, files)).to.throw(
        ServiceError,
        why,
      );
    });
  }

  it("of a sparse tensor are refused beyond its shape", () => {
    const values = { name: "s", dims: [1], dataType: elementTypes.FP32, floatData: [5] };
    const indices = { dims: [1], dataType: elementTypes.INT64, int64Data: [6] };
    expect(() => sparseElements({ values, indices, dims: [2, 3] }, none)).to.throw(ServiceError, "an element at 6");
  });
});
