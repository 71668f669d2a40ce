import { expect } from "chai";
import { systemClock } from "../lib/clock.ts";

describe("the machine's clock", () => {
  it("calls back after a delay, and not at once after one that is longer than timers reach", async () => {
    const called: number[] = [];
    for (const delayMs of [2 ** 31, Infinity]) systemClock.after(delayMs, () => called.push(delayMs));
    // Node would have called those back after one millisecond.
    await new Promise<void>((resolve) => systemClock.after(20, resolve));
    expect(called).to.deep.equal([]);
  });
});
