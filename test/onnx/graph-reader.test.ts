import { readFileSync } from "node:fs";
import { expect } from "chai";
import fc from "fast-check";
import { modelProtoOf } from "../../lib/onnx/export.ts";
import { readGraph } from "../../lib/onnx/graph-reader.ts";
import { type ModelProto, readModel, writeModel } from "../../lib/onnx/model.ts";
import { fileOf } from "../repository.ts";
import { generatedModel } from "./generated-models.ts";

describe("a graph that is read from an ONNX file", () => {
  it("is written back byte for byte, with every field of the format set", () => {
    const bytes = readFileSync(fileOf("test/fixtures/every-field.onnx"));
    expect(Buffer.from(rewritten(readModel(bytes))).equals(bytes)).to.equal(true);
  });

  it("is written back byte for byte, whatever is in the file", () => {
    fc.assert(
      fc.property(generatedModel(), (model) => {
        const bytes = writeModel(model);
        expect(Buffer.from(rewritten(model)).equals(bytes)).to.equal(true);
      }),
      { numRuns: 60 },
    );
  });
});

function rewritten(model: ModelProto): Uint8Array {
  return writeModel(modelProtoOf(readGraph(model)));
}
