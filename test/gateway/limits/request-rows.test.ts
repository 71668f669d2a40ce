import { expect } from "chai";
import fc from "fast-check";
import type { ServiceError } from "../../../lib/errors.ts";
import { encodeMessage } from "../../../lib/rpc/protos.ts";
import { rowsOf } from "../../../services/gateway/limits/request-rows.ts";

const request = (inputs: object[], more = {}) =>
  encodeMessage("inference", "inference.ModelInferRequest", { modelName: "digits", inputs, ...more });

describe("the rows of a request", () => {
  it("are the first size of its first input", () => {
    const shape = fc.array(fc.integer({ min: 1, max: 2 ** 40 }), { minLength: 1, maxLength: 5 });
    const inputs = fc.array(fc.record({ name: fc.string(), datatype: fc.constant("FP32"), shape }), { minLength: 1 });
    fc.assert(
      fc.property(inputs, (list) => {
        const bytes = request(list, { rawInputContents: [Buffer.alloc(100)] });
        expect(rowsOf(bytes)).to.equal(list[0]!.shape[0]);
      }),
    );
  });

  for (const [what, bytes] of [
    ["no inputs", request([])],
    ["a scalar", request([{ name: "x", datatype: "FP32", shape: [] }])],
    ["no rows", request([{ name: "x", datatype: "FP32", shape: [0, 3] }])],
    ["less than none", request([{ name: "x", datatype: "FP32", shape: [-5, 3] }])],
  ] as const) {
    it(`are one where there is ${what}`, () => {
      expect(rowsOf(bytes)).to.equal(1);
    });
  }

  it("are read where the sizes are not packed", () => {
    // inputs { shape: 300, shape: 2 }
    expect(rowsOf(Buffer.from([0x2a, 5, 0x18, 0xac, 2, 0x18, 2]))).to.equal(300);
  });

  it("throw REQUEST_INVALID, and nothing else, where bytes are no message", () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 60 }), (bytes) => {
        try {
          expect(rowsOf(bytes)).to.be.at.least(1);
        } catch (thrown) {
          expect((thrown as ServiceError).reason).to.equal("REQUEST_INVALID");
        }
      }),
      { numRuns: 2000 },
    );
  });
});
