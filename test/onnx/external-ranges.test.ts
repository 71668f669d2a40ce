import { expect } from "chai";
import { checkExternalRanges } from "../../lib/onnx/external-ranges.ts";
import { type ModelProto, readModel, type StringEntryProto, writeModel } from "../../lib/onnx/model.ts";

/** A model with an FP32 initializer "w" of two elements, or of another type, in "w.bin". */
const model = (places: Readonly<Record<string, string>>, more: object = {}, others: StringEntryProto[] = []) =>
  readModel(
    writeModel({
      opsetImport: [{ domain: "", version: 18 }],
      graph: {
        name: "g",
        output: [{ name: "y", type: { tensorType: { elemType: 1 } } }],
        initializer: [
          { name: "inside", dims: [9], dataType: 1, rawData: new Uint8Array(36) },
          {
            ...{ name: "w", dims: [2], dataType: 1, dataLocation: 1, ...more },
            externalData: [
              { key: "location", value: "w.bin" },
              ...Object.entries(places).map(([key, value]) => ({ key, value })),
              ...others,
            ],
          },
        ],
      },
    } as ModelProto),
  );
const check = (...parts: Parameters<typeof model>) => checkExternalRanges(model(...parts), new Map([["w.bin", 16]]));

describe("the places of tensors in external files", () => {
  it("lie within the files, at any offset, with or without a length", () => {
    for (const places of [
      {},
      { offset: "0", length: "8" },
      { offset: "8" },
      { offset: "8", length: "8" },
      { length: "0" },
    ]) {
      expect(() => check(places as Record<string, string>), JSON.stringify(places)).not.to.throw();
    }
    expect(() => check({ offset: "16" }, { dims: [0] })).not.to.throw();
  });

  it("are not judged for files whose size is not known, and their lengths not for types that we have no name for", () => {
    expect(() => checkExternalRanges(model({ offset: "99" }), new Map())).not.to.throw();
    expect(() => check({ length: "1" }, { dataType: 22 })).not.to.throw();
  });

  for (const [places, more, message] of [
    [{ offset: "9" }, {}, 'bytes 9 to 17 of "w.bin"; needed: a range within its 16 bytes'],
    [{ offset: "16", length: "8" }, {}, 'bytes 16 to 24 of "w.bin"'],
    [{}, { dims: [5] }, 'bytes 0 to 20 of "w.bin"'],
    [{ length: "17" }, { dataType: 22 }, 'bytes 0 to 17 of "w.bin"'],
    [{ length: "4" }, {}, 'has 4 bytes in "w.bin"; needed: 8, as its shape says'],
    [{ offset: "-1" }, {}, 'has the external offset "-1"; needed: one whole number from 0 to 2^53 - 1'],
    [{ offset: "1e1" }, {}, 'has the external offset "1e1"'],
    [{ offset: "" }, {}, 'has the external offset ""'],
    [{ length: "9223372036854775807" }, {}, 'has the external length "9223372036854775807"'],
  ] as const) {
    it(`are refused where they say ${JSON.stringify({ ...places, ...more })}`, () => {
      expect(() => check(places as Record<string, string>, more))
        .to.throw(`the tensor "w" ${message.startsWith("bytes") ? "keeps its data in " : ""}${message}`)
        .with.property("reason", "ARTIFACT_INVALID");
    });
  }

  it("are said once", () => {
    expect(() => check({ offset: "0" }, {}, [{ key: "offset", value: "4" }])).to.throw(
      'the external offset "0", "4"; needed: one whole number',
    );
  });
});
