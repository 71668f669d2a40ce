import { expect } from "chai";
import { ServiceError } from "../../lib/errors.ts";
import type { Tensor } from "../../lib/tensor.ts";
import { carriable, checkCarriable } from "../../services/inference/worker/channel-bounds.ts";
import type { ThreadReply } from "../../services/inference/worker/thread-protocol.ts";
import { noTime } from "./hand-driven-instance.ts";

describe("what goes from process to process", () => {
  // Memory that nobody touches costs nothing.
  const halves = [0, 1].map((index): Tensor => {
    return { name: `y${index}`, dataType: "UINT8", shape: [2 ** 30], bytes: new Uint8Array(2 ** 30) };
  });
  const ran = (outputs: readonly Tensor[]): ThreadReply => ({ kind: "ran", runId: 7, outputs, phases: noTime });

  it("is never longer than node can read, which ends the process of whoever reads it: outputs become a fault", () => {
    expect(carriable(ran(halves))).to.deep.include({ kind: "failed", runId: 7, reason: "RESPONSE_TOO_LARGE" });
    const small = ran([halves[0]]);
    expect(carriable(small)).to.equal(small);
  });

  it("is refused where it is the inputs of a run", () => {
    expect(() => checkCarriable(halves)).to.throw(ServiceError, "have 2147483648 bytes; needed: at most 2146435072");
    checkCarriable([halves[0]]);
  });
});
