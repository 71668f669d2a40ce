import { expect } from "chai";
import fc from "fast-check";
import { ServiceError } from "../../lib/errors.ts";
import { Admission } from "../../services/gateway/admission/admission.ts";
import { RequestBytes } from "../../services/gateway/admission/request-bytes.ts";
import { tableOf } from "../../services/gateway/route-table.ts";
import { ManualClock } from "../manual-clock.ts";

const routeTo = (model: string, replicas = ["a"]) => ({ model, version: 1, replicas, reason: "", memory: {} });

describe("admission", () => {
  const full = (callsMax = 20) => {
    const admission = new Admission({ latencyTolerance: 4, latencySlackMs: 20, callsMax }, new ManualClock());
    const leaves = Array.from({ length: callsMax }, () => admission.admit(routeTo("slow")));
    return { admission, leaves };
  };

  it("refuses with the limit and when to come again, and lets the next one in when one has left", () => {
    const { admission, leaves } = full();
    let refusal: unknown;
    try {
      admission.admit(routeTo("slow"));
    } catch (thrown) {
      refusal = thrown;
    }
    expect(refusal).to.be.instanceOf(ServiceError).and.include({ status: "RESOURCE_EXHAUSTED", retryDelayMs: 50 });
    expect((refusal as ServiceError).metadata).to.deep.equal({
      limit: "concurrency",
      model: "slow",
      version: "1",
      concurrencyMax: "20",
    });
    for (let time = 0; time < 2; time++) leaves[0]!("answered");
    admission.admit(routeTo("slow"));
    expect(() => admission.admit(routeTo("slow"))).to.throw("20 calls under way");
  });

  it("holds no model to the limit of another one", () => {
    const { admission } = full();
    for (let count = 0; count < 20; count++) admission.admit(routeTo("quick"));
    expect([...admission.limits()]).to.deep.equal([
      { model: "slow", version: 1, limit: 20, underWay: 20 },
      { model: "quick", version: 1, limit: 20, underWay: 20 },
    ]);
  });

  it("forgets what is not in the table any longer, once nothing of it is under way", () => {
    const { admission, leaves } = full();
    admission.retain(tableOf([]).models);
    expect([...admission.limits()].length).to.equal(1);
    for (const leave of leaves) leave("answered");
    admission.retain(tableOf([]).models);
    expect([...admission.limits()]).to.deep.equal([]);
  });
});

describe("the bytes of requests", () => {
  it("never exceed their bound, and are free again when their calls are over", () => {
    const steps = fc.array(fc.record({ call: fc.nat(4), bytes: fc.nat(60), releases: fc.boolean() }), {
      maxLength: 60,
    });
    fc.assert(
      fc.property(steps, (all) => {
        const bytes = new RequestBytes(100);
        const calls = Array.from({ length: 5 }, () => bytes.hold());
        const held = [0, 0, 0, 0, 0];
        for (const step of all) {
          const sum = held.reduce((a, b) => a + b);
          if (step.releases) {
            calls[step.call]!.release();
            held[step.call] = 0;
          } else if (sum + step.bytes <= 100) {
            calls[step.call]!.add(step.bytes);
            held[step.call]! += step.bytes;
          } else {
            expect(() => calls[step.call]!.add(step.bytes)).to.throw("its limit of 100");
          }
          expect(bytes.bytes).to.equal(held.reduce((a, b) => a + b));
        }
      }),
    );
  });
});
