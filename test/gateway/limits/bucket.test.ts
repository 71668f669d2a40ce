import { expect } from "chai";
import fc from "fast-check";
import { Bucket } from "../../../services/gateway/limits/bucket.ts";
import { burstOf } from "../../../services/gateway/limits/cost.ts";

describe("a bucket", () => {
  const arrival = fc.record({
    afterMs: fc.oneof(fc.constant(0), fc.double({ min: 0, max: 3000, noNaN: true })),
    amount: fc.double({ min: 0.01, max: 150, noNaN: true }),
  });
  const rates = fc.double({ min: 0.001, max: 1000, noNaN: true });

  it("gives no more than rate · t + burst in any time t", () => {
    fc.assert(
      fc.property(rates, fc.array(arrival, { maxLength: 200 }), (rate, arrivals) => {
        const bucket = new Bucket();
        const taken: { readonly atMs: number; readonly amount: number }[] = [];
        let nowMs = 0;
        for (const { afterMs, amount } of arrivals) {
          nowMs += afterMs;
          if (bucket.delayMs(amount, rate, nowMs) > 0) continue;
          bucket.take(amount, rate, nowMs);
          taken.push({ atMs: nowMs, amount });
        }
        for (let first = 0; first < taken.length; first++) {
          let sum = 0;
          for (let last = first; last < taken.length; last++) {
            sum += taken[last]!.amount;
            const seconds = (taken[last]!.atMs - taken[first]!.atMs) / 1000;
            expect(sum).to.be.at.most((rate * seconds + burstOf(rate)) * (1 + 1e-6));
          }
        }
      }),
    );
  });

  it("says how long it takes until an amount fits: not a moment more", () => {
    fc.assert(
      fc.property(rates, fc.array(arrival, { maxLength: 30 }), (rate, arrivals) => {
        const bucket = new Bucket();
        let nowMs = 0;
        for (const { afterMs, amount } of arrivals) {
          nowMs += afterMs;
          const delayMs = bucket.delayMs(amount, rate, nowMs);
          if (amount > burstOf(rate)) {
            expect(delayMs).to.equal(Infinity);
            continue;
          }
          if (delayMs > 0) expect(bucket.delayMs(amount, rate, nowMs + delayMs * 0.99)).to.be.above(0);
          nowMs += delayMs;
          expect(bucket.delayMs(amount, rate, nowMs)).to.equal(0);
          bucket.take(amount, rate, nowMs);
        }
      }),
    );
  });

  it("follows a rate that changes at once", () => {
    const bucket = new Bucket();
    bucket.take(100, 100, 0);
    expect(bucket.delayMs(1, 100, 0)).to.be.closeTo(10, 1e-6);
    expect(bucket.delayMs(1, 1000, 0)).to.equal(0);
    // What was taken at the higher rate is not held against the lower one beyond its own burst.
    expect(bucket.delayMs(1, 10, 0)).to.be.closeTo(100, 1e-6);
    expect(bucket.delayMs(11, 10, 0)).to.equal(Infinity);
  });

  it("gets back what was taken in vain", () => {
    const bucket = new Bucket();
    bucket.take(10, 10, 0);
    bucket.giveBack(4);
    expect(bucket.delayMs(4, 10, 0)).to.equal(0);
    expect(bucket.delayMs(5, 10, 0)).to.be.closeTo(100, 1e-6);
  });
});
