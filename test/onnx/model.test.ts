import { readFileSync } from "node:fs";
import { expect } from "chai";
import fc from "fast-check";
import { ServiceError } from "../../lib/errors.ts";
import { GraphBuilder } from "../../lib/onnx/builder.ts";
import { modelOf } from "../../lib/onnx/export.ts";
import type { Messages } from "../../lib/onnx/message-type.ts";
import { readModel, writeModel } from "../../lib/onnx/model.ts";
import { messages } from "../../lib/onnx/schema.ts";
import { fileOf } from "../repository.ts";

const everyField = readFileSync(fileOf("test/fixtures/every-field.onnx"));

describe("an ONNX file", () => {
  it("that the onnx package wrote with every field set is written back byte for byte", () => {
    expect(Buffer.from(writeModel(readModel(everyField))).equals(everyField)).to.equal(true);
  });

  it("with every field set leaves out only what the format has deprecated", () => {
    const all = Object.entries(messages).flatMap(([type, fields]) =>
      Object.keys(fields).map((field) => `${type}.${field}`),
    );
    const seen = new Set<string>();
    collectFields("ModelProto", readModel(everyField), seen);
    expect(all.filter((field) => !seen.has(field))).to.have.members([
      "FunctionProto.sinceVersion",
      "FunctionProto.status",
      "OpaqueTypeProto.parameters",
    ]);
  });

  it("keeps the difference between a field that is not set and one that is set to its default", () => {
    const graph = { name: "", output: [{ name: "y" }] };
    const bytes = writeModel({ irVersion: 0, opsetImport: [{ domain: "" }], graph });
    const model = readModel(bytes);
    expect([Object.hasOwn(model, "irVersion"), Object.hasOwn(model, "producerName")]).to.deep.equal([true, false]);
    expect(writeModel(model)).to.deep.equal(bytes);
  });

  const faults: Record<string, [bytes: Uint8Array, why: RegExp]> = {
    "is empty": [new Uint8Array(), /it is empty/],
    "is a text": [new TextEncoder().encode("pixel_0,pixel_1,class\n0,1,2\n"), /not an ONNX model/],
    "is cut short": [sample().subarray(0, 40), /not a protobuf message/],
    "has no graph": [writeModel({ irVersion: 8, opsetImport: [{ version: 18 }] }), /it has no graph/],
    "has no operator set": [writeModel({ graph: { output: [{ name: "y" }] } }), /it imports no operator set/],
    "has no outputs": [writeModel({ opsetImport: [{ version: 18 }], graph: {} }), /its graph has no outputs/],
  };
  for (const [fault, [bytes, why]] of Object.entries(faults)) {
    it(`that ${fault} is refused, with the reason`, () => {
      expect(() => readModel(bytes))
        .to.throw(ServiceError, why)
        .with.property("reason", "ARTIFACT_INVALID");
    });
  }

  it("is never seen in random bytes, and reading them ends in a refusal", () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 2000 }), (bytes) => {
        expect(() => readModel(bytes)).to.throw(ServiceError);
      }),
      { numRuns: 500 },
    );
  });

  it("with bytes changed at random is read or refused, nothing else", () => {
    const change = fc.tuple(fc.nat(sample().length - 1), fc.integer({ min: 0, max: 255 }));
    fc.assert(
      fc.property(fc.array(change, { minLength: 1, maxLength: 8 }), (changes) => {
        const bytes = sample();
        for (const [place, byte] of changes) bytes[place] = byte;
        try {
          writeModel(readModel(bytes));
        } catch (failure) {
          expect(failure).to.be.instanceOf(ServiceError);
        }
      }),
      { numRuns: 500 },
    );
  });

  it("that nests graphs ten thousand deep is refused", () => {
    // A node's attribute holds a graph whose node's attribute holds a graph, and so on; lengths grow outwards.
    let inner: Buffer = Buffer.alloc(0);
    for (let depth = 0; depth < 10_000; depth++) inner = field(1, field(5, field(6, inner)));
    expect(() => readModel(field(7, inner))).to.throw(ServiceError, /not a protobuf message/);
  });
});

function sample(): Uint8Array {
  const graph = new GraphBuilder("sample");
  const x = graph.input("x", "FP32", ["batch", 2]);
  graph.output("y", graph.add(x, graph.constant("FP32", [2], [1, 2])));
  return Uint8Array.from(writeModel(modelOf(graph.graph(), { docString: "adds", metadata: { job: "7" } })));
}

function collectFields(type: string, message: object, seen: Set<string>): void {
  const fields = (messages as Messages)[type]!;
  for (const [name, value] of Object.entries(message)) {
    if (!Array.isArray(value) || value.length > 0) seen.add(`${type}.${name}`);
    const inner = fields[name]![1].split("[")[0]!;
    if (!Object.hasOwn(messages, inner)) continue;
    for (const each of Array.isArray(value) ? value : [value]) collectFields(inner, each, seen);
  }
}

/** A length-delimited protobuf field. */
function field(id: number, content: Buffer): Buffer {
  const length: number[] = [];
  for (let rest = content.length; ; rest >>>= 7) {
    length.push(rest > 127 ? (rest & 127) | 128 : rest);
    if (rest <= 127) break;
  }
  return Buffer.concat([Buffer.from([(id << 3) | 2, ...length]), content]);
}
