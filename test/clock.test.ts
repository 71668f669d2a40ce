import { expect } from "chai";
import { systemClock } from "../lib/clock.ts";

describe("the machine's clock", () => {
  it("calls back after a delay, and not at once after one that is longer than timers reach", async () => {
    const called: number[] = [];
    for (const delayMs of [2 ** 31, Infinity, 5]) systemClock.after(delayMs, () => called.push(delayMs));
    await new Promise((resolve) => setTimeout(resolve, 50));
    expect(called).to.deep.equal([5]);
  });
});
