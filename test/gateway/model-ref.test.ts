import { expect } from "chai";
import fc from "fast-check";
import { ServiceError } from "../../lib/errors.ts";
import { Random } from "../../lib/random.ts";
import { decodeMessage, encodeMessage } from "../../lib/rpc/protos.ts";
import { readModelRef } from "../../services/gateway/model-ref.ts";
import { inferRequest, nameAndVersion, routedMethods } from "../../services/gateway/ref-layouts.ts";

const type = "inference.ModelInferRequest";

/** One field of a message, encoded by itself; messages are their fields in any order. */
const field = fc.oneof(
  fc.string({ maxLength: 20, unit: "grapheme" }).map((modelName) => ({ modelName })),
  fc.string({ maxLength: 20 }).map((modelVersion) => ({ modelVersion })),
  fc.string().map((id) => ({ id })),
  fc.uint8Array({ maxLength: 300 }).map((raw) => ({ rawInputContents: [raw] })),
  fc.array(fc.integer(), { maxLength: 9 }).map((shape) => ({ inputs: [{ name: "x", datatype: "FP32", shape }] })),
  fc.string().map((key) => ({ parameters: { [key]: { doubleParam: 0.5 } } })),
);
/** Fields that no contract knows, of every wire type. */
const unknownField = fc.constantFrom(
  [0x98, 0x3f, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 1],
  [0x99, 0x3f, 1, 2, 3, 4, 5, 6, 7, 8],
  [0x9a, 0x3f, 3, 10, 1, 97],
  [0x9b, 0x3f, 10, 1, 97, 0x9c, 0x3f],
  [0x9d, 0x3f, 1, 2, 3, 4],
);
const message = fc.array(
  fc.oneof(
    field.map((fields) => encodeMessage("inference", type, fields)),
    unknownField.map((bytes) => Buffer.from(bytes)),
  ),
  { maxLength: 12 },
);

describe("the model reference of a request", () => {
  it("is what a full decode gives, whatever the order and number of the fields", () => {
    fc.assert(
      fc.property(message, (fields) => {
        const bytes = Buffer.concat(fields);
        const decoded = decodeMessage<{ modelName: string; modelVersion: string }>("inference", type, bytes);
        expect(readModelRef(bytes, inferRequest)).to.deep.equal({
          model: decoded.modelName,
          version: decoded.modelVersion,
        });
      }),
      { numRuns: 2000 },
    );
  });

  it("is read or refused with REQUEST_INVALID for any bytes", () => {
    const random = new Random(1, "mutations");
    const original = encodeMessage("inference", type, {
      modelName: "digits",
      modelVersion: "default",
      inputs: [{ name: "x", datatype: "FP32", shape: [1, 64] }],
      rawInputContents: [Buffer.alloc(256, 7)],
    });
    let refused = 0;
    for (let round = 0; round < 20_000; round++) {
      const bytes = Buffer.from(original.subarray(0, 1 + random.below(original.length)));
      for (let i = random.below(4); i > 0; i--) bytes[random.below(Math.min(bytes.length, 40))] = random.below(256);
      try {
        const { model, version } = readModelRef(bytes, inferRequest);
        expect(model.length + version.length).to.be.at.most(bytes.length);
      } catch (failure) {
        if (!(failure instanceof ServiceError) || failure.reason !== "REQUEST_INVALID") throw failure;
        refused++;
      }
    }
    expect(refused).to.be.greaterThan(1000);
  });

  it("refuses what another parser refuses, and says why", () => {
    for (const [bytes, why] of [
      [[0x0a, 5, 97], "a field of 5 bytes begins, 1 are left"],
      [[0x0a], "it ends inside a number"],
      [[0x0a, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 1], "longer than 10 bytes"],
      [[0x0f], "wire type 7 does not exist"],
      [[0x02, 0], "a field number is out of range"],
      [[0xff, 0xff, 0xff, 0xff, 0x7f], "a field number is out of range"],
      [[0x0c], "a group ends that never began"],
      [[0x0b, 0x08, 1], "a group never ends"],
      [[0x09, 1, 2], "a field of 8 bytes begins, 2 are left"],
    ] as const) {
      expect(() => readModelRef(Buffer.from(bytes), inferRequest)).to.throw(ServiceError, why);
    }
  });

  it("does not look into groups, and takes no number for a name", () => {
    const name = [0x0a, 1, 97];
    expect(
      readModelRef(Buffer.from([...name, 0x9b, 0x3f, 0x0a, 1, 98, 0x9c, 0x3f, 0x08, 5]), inferRequest),
    ).to.deep.equal({
      model: "a",
      version: "",
    });
  });

  it("bounds names and the number of fields", () => {
    const long = encodeMessage("inference", type, { modelName: "x".repeat(2000) });
    expect(() => readModelRef(long, inferRequest)).to.throw(ServiceError, "2000 bytes; needed: at most 1024");
    const many = Buffer.alloc(2 * 200_000, Buffer.from([0x58, 1]));
    expect(() => readModelRef(many, inferRequest)).to.throw(ServiceError, "more than 131072 fields");
  });

  it("takes a view into a larger buffer", () => {
    const whole = Buffer.concat([Buffer.from([1, 2, 3]), encodeMessage("inference", type, { modelName: "digits" })]);
    expect(readModelRef(whole.subarray(3), inferRequest).model).to.equal("digits");
  });

  it("is found in every routed request; repository calls may have the model in KServe's place", () => {
    for (const method of Object.keys(routedMethods) as (keyof typeof routedMethods)[]) {
      const isInfer = method === "ModelInfer";
      const fields = method.startsWith("Repository")
        ? { repositoryName: "r", modelName: "m" }
        : isInfer
          ? { modelName: "m", modelVersion: "1" }
          : { name: "m", version: "1" };
      const bytes = encodeMessage("inference", `inference.${method}Request`, fields);
      const version = method.startsWith("Repository") ? "" : "1";
      expect(readModelRef(bytes, routedMethods[method]), method).to.deep.equal({ model: "m", version });
    }
    const load = encodeMessage("inference", "inference.RepositoryModelLoadRequest", { repositoryName: "m" });
    expect(readModelRef(load, routedMethods.RepositoryModelLoad).model).to.equal("m");
    const ready = encodeMessage("inference", "inference.ModelReadyRequest", { name: "m", version: "2" });
    expect(readModelRef(ready, nameAndVersion)).to.deep.equal({ model: "m", version: "2" });
  });
});
