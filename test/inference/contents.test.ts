import { expect } from "chai";
import fc from "fast-check";
import type { InferTensorContents } from "../../lib/gen/inference/InferTensorContents.ts";
import type { DataType, Signature } from "../../lib/tensor.ts";
import { decodeRequest } from "../../services/inference/tensors/decode.ts";
import { bytesOf, rawTexts, received } from "./wire.ts";

const bytesOfRequest = (dataType: DataType, contents: InferTensorContents | undefined, size: number): Buffer => {
  const inputs = [{ name: "x", datatype: dataType, shape: [size], ...(contents && { contents }) }];
  const signature: Signature = { inputs: [{ name: "x", dataType, shape: ["n"] }], outputs: [] };
  return Buffer.from(decodeRequest(received({ modelName: "m", inputs }), signature).inputs[0].bytes);
};
const int = (min: number, max: number) => fc.integer({ min, max });
const int64 = fc.bigInt({ min: -(2n ** 63n), max: 2n ** 63n - 1n });
const uint64 = fc.bigInt({ min: 0n, max: 2n ** 64n - 1n });
const text = fc.string({ unit: "binary", maxLength: 8 }).filter((value) => !value.includes("\0"));

/** For each data type: what a client has, the field that carries it, and the raw bytes that it means. */
const tables: [
  DataType,
  fc.Arbitrary<unknown>,
  (values: never[]) => InferTensorContents,
  (values: never[]) => Buffer,
][] = [
  ["BOOL", fc.boolean(), (boolContents) => ({ boolContents }), (values) => Buffer.from(values.map(Number))],
  ["INT8", int(-128, 127), (intContents) => ({ intContents }), (values) => bytesOf(Int8Array.from(values))],
  ["INT16", int(-32768, 32767), (intContents) => ({ intContents }), (values) => bytesOf(Int16Array.from(values))],
  [
    "INT32",
    int(-(2 ** 31), 2 ** 31 - 1),
    (intContents) => ({ intContents }),
    (values) => bytesOf(Int32Array.from(values)),
  ],
  ["INT64", int64, (v) => ({ int64Contents: v.map(String) }), (values) => bytesOf(BigInt64Array.from(values))],
  ["UINT8", int(0, 255), (uintContents) => ({ uintContents }), (values) => bytesOf(Uint8Array.from(values))],
  ["UINT16", int(0, 65535), (uintContents) => ({ uintContents }), (values) => bytesOf(Uint16Array.from(values))],
  ["UINT32", int(0, 2 ** 32 - 1), (uintContents) => ({ uintContents }), (values) => bytesOf(Uint32Array.from(values))],
  ["UINT64", uint64, (v) => ({ uint64Contents: v.map(String) }), (values) => bytesOf(BigUint64Array.from(values))],
  ["FP32", fc.float(), (fp32Contents) => ({ fp32Contents }), (values) => bytesOf(Float32Array.from(values))],
  ["FP64", fc.double(), (fp64Contents) => ({ fp64Contents }), (values) => bytesOf(Float64Array.from(values))],
  ["BYTES", text, (v) => ({ bytesContents: v.map((s) => Buffer.from(s)) }), (values) => rawTexts(...values)],
];

describe("typed contents:", () => {
  for (const [dataType, value, contentsOf, rawOf] of tables) {
    it(`${dataType} elements become the same bytes that raw contents would be, exactly`, () => {
      fc.assert(
        fc.property(fc.array(value, { maxLength: 20 }), (values) => {
          const seen = bytesOfRequest(dataType, contentsOf(values as never[]), values.length);
          expect(seen.equals(rawOf(values as never[]))).to.equal(true);
        }),
      );
    });
  }

  const refused: Record<string, [DataType, InferTensorContents | undefined, number, string]> = {
    "FP16 travels only raw": ["FP16", { uintContents: [1] }, 1, "is FP16, which travels only in raw_input_contents"],
    "BF16 travels only raw": ["BF16", { uintContents: [1] }, 1, "is BF16, which travels only in raw_input_contents"],
    "no contents at all": ["FP32", undefined, 1, "has no data; needed: fp32_contents or raw_input_contents"],
    "contents in the wrong field": [
      "FP32",
      { intContents: [1] },
      1,
      "is FP32 and has int_contents; needed: fp32_contents",
    ],
    "contents in two fields": [
      "INT64",
      { int64Contents: [1], fp64Contents: [1] },
      1,
      "is INT64 and has fp64_contents; needed: int64_contents",
    ],
    "too few elements": ["FP32", { fp32Contents: [1] }, 2, "has 1 elements in fp32_contents; its shape needs 2"],
    "too many elements": [
      "BYTES",
      { bytesContents: ["", ""] },
      1,
      "has 2 elements in bytes_contents; its shape needs 1",
    ],
    "an INT8 out of range": ["INT8", { intContents: [1, -129] }, 2, "has -129 as element 1; needed: -128 to 127"],
    "a UINT16 out of range": ["UINT16", { uintContents: [65536] }, 1, "has 65536 as element 0; needed: 0 to 65535"],
    "bytes that are not UTF-8": [
      "BYTES",
      { bytesContents: [Buffer.from([0xff])] },
      1,
      "has a BYTES element 0 that is not UTF-8, which ONNX needs",
    ],
  };
  for (const [what, [dataType, contents, size, message]] of Object.entries(refused)) {
    it(`are refused: ${what}`, () => {
      expect(() => bytesOfRequest(dataType, contents, size)).to.throw(`input 'x' of model 'm' ${message}`);
    });
  }
});
