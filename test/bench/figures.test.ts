import { expect } from "chai";
import { beside, inRounds, median, quantile, rowOf } from "../../bench/harness/figures.ts";

describe("the figures of a bench", () => {
  it("are the median of their rounds, the ratio that of the rounds' ratios", () => {
    const runs = beside([10, 300, 20], [10, 100, 40]);
    expect(rowOf({ metric: "m", unit: "1/s", runs, baselineOf: "b" })).to.deep.equal({
      metric: "m",
      value: 20,
      unit: "1/s",
      baselineOf: "b",
      baseline: 40,
      ratio: 1,
      goal: null,
      met: null,
      runs,
    });
  });

  it("may have no baseline", () => {
    expect(rowOf({ metric: "m", unit: "ms", runs: [{ value: 3 }] })).to.include({ baseline: null, ratio: null });
  });

  it("say of a goal whether it is met", () => {
    const runs = [{ value: 40, baseline: 50 }];
    const met = (of: "value" | "ratio", kind: "at least" | "at most", bound: number) =>
      rowOf({ metric: "m", unit: "ms", runs, goal: { of, kind, bound } }).met;
    expect([met("ratio", "at least", 0.8), met("ratio", "at least", 0.81)]).to.deep.equal([true, false]);
    expect([met("value", "at most", 40), met("value", "at most", 39)]).to.deep.equal([true, false]);
  });

  it("keep a goal that is not met, with the reason where one is known", () => {
    const missed = {
      metric: "m",
      unit: "ms",
      runs: [{ value: 40 }],
      goal: { of: "value", kind: "at most", bound: 3 },
    } as const;
    expect(rowOf(missed)).to.include({ goal: "≤ 3 ms", met: false, reason: "not known yet" });
    expect(rowOf({ ...missed, ifMissed: "it is slow" })).to.include({ reason: "it is slow" });
    expect(rowOf({ ...missed, runs: [{ value: 2 }], ifMissed: "it is slow" })).not.to.have.property("reason");
  });

  it("meet no goal where they were not measured as they should be", () => {
    const goal = { of: "value", kind: "at most", bound: 3 } as const;
    const faulty = {
      metric: "m",
      unit: "ms",
      runs: [{ value: 2 }],
      fault: "the load fell behind",
      ifMissed: "it is slow",
    };
    expect(rowOf({ ...faulty, goal })).to.include({ met: false, reason: "the load fell behind" });
    expect(rowOf(faulty)).to.include({ goal: null, met: false, reason: "the load fell behind" });
  });

  it("never meet a goal without having been measured", () => {
    const goal = { of: "ratio", kind: "at least", bound: 0 } as const;
    expect(rowOf({ metric: "m", unit: "ms", runs: [{ value: 1 }], goal }).met).to.equal(false);
    expect(rowOf({ metric: "m", unit: "ms", runs: [], goal: { ...goal, of: "value" } }).met).to.equal(false);
  });

  it("come from rounds in alternating order, of which the first is dropped", async () => {
    const order: string[] = [];
    const subject = (name: string) => async (round: number) => order.push(`${name}${round}`);
    const figures = await inRounds(3, { a: subject("a"), b: subject("b") });
    expect(order).to.deep.equal(["a0", "b0", "b1", "a1", "a2", "b2", "b3", "a3"]);
    expect(figures).to.deep.equal({ a: [4, 5, 8], b: [3, 6, 7] });
  });

  it("have quantiles between their neighbours", () => {
    expect(median([3, 1, 2])).to.equal(2);
    expect(median([4, 1, 2, 3])).to.equal(2.5);
    expect(quantile([0, 10], 0.99)).to.be.closeTo(9.9, 1e-9);
    expect(quantile([], 0.5)).to.be.NaN;
  });
});
