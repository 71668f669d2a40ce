import { expect } from "chai";
import fc from "fast-check";
import type { DataType } from "../../../lib/tensor.ts";
import { type JsonValue, jsonText, parseJson } from "../../../services/gateway/rest/json-text.ts";
import { nestedValues, shapeOfValues } from "../../../services/gateway/rest/nested-values.ts";
import { jsonOfRaw, rawOfJson } from "../../../services/gateway/rest/tensor-json.ts";

const values: Record<DataType, fc.Arbitrary<JsonValue>> = {
  BOOL: fc.boolean(),
  UINT8: fc.integer({ min: 0, max: 255 }),
  UINT16: fc.integer({ min: 0, max: 65_535 }),
  UINT32: fc.integer({ min: 0, max: 2 ** 32 - 1 }),
  UINT64: fc.bigInt({ min: 0n, max: 2n ** 64n - 1n }),
  INT8: fc.integer({ min: -128, max: 127 }),
  INT16: fc.integer({ min: -32_768, max: 32_767 }),
  INT32: fc.integer(),
  INT64: fc.bigInt({ min: -(2n ** 63n), max: 2n ** 63n - 1n }),
  FP16: fc.integer({ min: -2048, max: 2048 }).map((whole) => whole / 64),
  BF16: fc.integer({ min: -255, max: 255 }).map((whole) => whole / 4),
  FP32: fc.float(),
  FP64: fc.double(),
  BYTES: fc.string({ unit: "grapheme" }),
};

const shapes = fc.array(fc.integer({ min: 1, max: 4 }), { maxLength: 4 });

describe("tensors in JSON", () => {
  for (const [dataType, value] of Object.entries(values) as [DataType, fc.Arbitrary<JsonValue>][]) {
    it(`of ${dataType} come back as they were, flat or nested, through their text`, () => {
      const tensors = shapes.chain((shape) => {
        const count = shape.reduce((product, size) => product * size, 1);
        return fc.tuple(fc.constant(shape), fc.array(value, { minLength: count, maxLength: count }));
      });
      fc.assert(
        fc.property(tensors, ([shape, flat]) => {
          const nested = nestedValues(flat, shape);
          expect(shapeOfValues(nested, "it")).to.deep.equal(shape);
          const read = parseJson(jsonText(nested), { isNonFiniteAllowed: true });
          const raw = rawOfJson(dataType, shape, read, "it");
          expect(rawOfJson(dataType, shape, flat, "it").equals(raw)).to.equal(true);
          expect(jsonText(jsonOfRaw(dataType, flat.length, raw, "it"))).to.equal(jsonText(flat));
        }),
      );
    });
  }

  for (const [dataType, value, message] of [
    ["UINT8", 256, "data has 256 as element 1; needed: a whole number from 0 to 255"],
    ["INT32", 1.5, "data has 1.5 as element 1; needed: a whole number from -2147483648 to 2147483647"],
    [
      "INT64",
      2n ** 63n,
      "data has 9223372036854775808 as element 1; needed: a whole number from -9223372036854775808 to 9223372036854775807",
    ],
    ["UINT64", -1, "data has -1 as element 1; needed: a whole number from 0 to 18446744073709551615"],
    ["INT64", 2 ** 53, "data has 9007199254740992 as element 1; needed: a whole number from"],
    ["FP32", 1e39, "data has 1e+39 as element 1; needed: a number that FP32 holds"],
    ["FP32", "1", 'data has "1" as element 1; needed: a number that FP32 holds'],
    ["BOOL", 1, "data has 1 as element 1; needed: true or false"],
    ["BYTES", 1, "data has 1 as element 1; needed: a string"],
    ["FP64", null, "data has null as element 1; needed: a number that FP64 holds"],
  ] as const) {
    it(`of ${dataType} are refused with ${String(value)}`, () => {
      const fine: JsonValue = dataType === "BYTES" ? "a" : dataType === "BOOL" ? true : 0;
      expect(() => rawOfJson(dataType, [2], [fine, value], "data")).to.throw(message);
    });
  }

  it("are refused where their shape has another number of elements, before anything is made for it", () => {
    expect(() => rawOfJson("FP64", [2, 2 ** 40], [[1], [2]], "data")).to.throw(
      "data has 2 elements; needed: 2199023255552, as",
    );
  });

  it("are refused where arrays of one level differ", () => {
    expect(() => shapeOfValues([[1, 2], [3]], "input")).to.throw(
      "input has an array of 1 in its level 1; needed: an array of 2",
    );
    expect(() => shapeOfValues([1, [2]], "input")).to.throw("input has an array of 1 in its level 1; needed: a value");
  });

  it("of BYTES are refused where they are no UTF-8", () => {
    expect(() => jsonOfRaw("BYTES", 1, Buffer.from([1, 0, 0, 0, 0xff]), "output 'a'")).to.throw(
      "output 'a' has bytes that are no UTF-8",
    );
  });
});
