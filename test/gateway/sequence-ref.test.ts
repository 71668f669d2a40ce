import { expect } from "chai";
import fc from "fast-check";
import { ServiceError } from "../../lib/errors.ts";
import type { ModelInferRequest__Output } from "../../lib/gen/inference/ModelInferRequest.ts";
import { decodeMessage, encodeMessage } from "../../lib/rpc/protos.ts";
import { readModelRef } from "../../services/gateway/model-ref.ts";
import { inferRequest } from "../../services/gateway/ref-layouts.ts";
import { sequenceOf } from "../../services/inference/tensors/parameters.ts";

const type = "inference.ModelInferRequest";
const encoded = (message: object) => encodeMessage("inference", type, message);
const sequenceIn = (bytes: Buffer) => readModelRef(bytes, inferRequest).sequence;

const id = fc.oneof(
  fc.bigInt({ min: 0n, max: 2n ** 64n - 1n }).map((number) => ({ uint64Param: String(number) })),
  fc.bigInt({ min: -(2n ** 63n), max: 2n ** 63n - 1n }).map((number) => ({ int64Param: String(number) })),
  fc.constantFrom({ uint64Param: 0 }, { int64Param: 0 }, { stringParam: "" }),
  fc.string({ maxLength: 20, unit: "grapheme" }).map((stringParam) => ({ stringParam })),
);
const flag = fc.boolean().map((boolParam) => ({ boolParam }));
const part = fc.oneof(
  id.map((sequence_id) => ({ parameters: { sequence_id } })),
  flag.map((sequence_start) => ({ parameters: { sequence_start } })),
  flag.map((sequence_end) => ({ parameters: { sequence_end } })),
  fc.string().map((key) => ({ parameters: { [`p${key}`]: { stringParam: "sequence_id" } } })),
  fc.uint8Array({ maxLength: 30 }).map((raw) => ({ rawInputContents: [raw] })),
  fc.constant({ inputs: [{ name: "x", parameters: { sequence_id: { uint64Param: 9 } } }] }),
);

describe("the sequence of a request", () => {
  it("is what the node finds in it, whatever the order and number of the fields", () => {
    fc.assert(
      fc.property(fc.array(part, { maxLength: 10 }), (parts) => {
        const bytes = Buffer.concat(parts.map(encoded));
        const step = sequenceOf(decodeMessage<ModelInferRequest__Output>("inference", type, bytes));
        expect(sequenceIn(bytes)).to.deep.equal(step.id === "" ? undefined : step);
      }),
      { numRuns: 3000 },
    );
  });

  it("is found or refused with REQUEST_INVALID in any bytes", () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 40 }), (entry) => {
        try {
          sequenceIn(Buffer.concat([Buffer.from([0x22, entry.length]), entry]));
        } catch (failure) {
          if (!(failure instanceof ServiceError) || failure.reason !== "REQUEST_INVALID") throw failure;
        }
      }),
      { numRuns: 5000 },
    );
  });

  it("does not read beyond an entry that ends inside a number", () => {
    const key = Buffer.from("sequence_id");
    const entry = Buffer.concat([Buffer.from([0x0a, key.length]), key, Buffer.from([0x12, 1, 0x28])]);
    const message = Buffer.concat([Buffer.from([0x22, entry.length]), entry, Buffer.from([0x08, 0x05])]);
    expect(() => sequenceIn(message)).to.throw(ServiceError, "it ends inside a number");
  });

  it("is refused where its entry has more fields than any sender writes", () => {
    const entry = Buffer.alloc(2 * 5, Buffer.from([0x58, 1]));
    expect(() => sequenceIn(Buffer.concat([Buffer.from([0x22, entry.length]), entry]))).to.throw("more than 4 fields");
  });
});
