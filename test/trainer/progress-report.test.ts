import { expect } from "chai";
import { createLog } from "../../lib/log.ts";
import type { TrainingProgress } from "../../services/trainer/engine/training-figures.ts";
import { ProgressReport } from "../../services/trainer/progress-report.ts";
import { ManualClock } from "../manual-clock.ts";

describe("the progress of a job", () => {
  it("is told at once while there is little of it, then ten times a second, the latest each time, and at last what came last", async () => {
    const clock = new ManualClock();
    const told: number[] = [];
    const publish = async ({ step }: { readonly step: number }) => void told.push(step);
    const report = new ProgressReport({ paceMs: 100, burstMax: 64 }, publish, clock, createLog("test", "silent"));
    const add = (step: number) => report.add({ step, stepCount: 9 } as TrainingProgress, 1);
    for (let step = 1; step <= 64; step++) {
      add(step);
      await settled();
    }
    expect(told.splice(0)).to.have.length(64);
    for (const step of [65, 66, 67]) add(step);
    await settled();
    expect(told).to.deep.equal([]);
    clock.advance(99);
    await settled();
    expect(told).to.deep.equal([]);
    clock.advance(1);
    await settled();
    expect(told).to.deep.equal([67]);
    for (const step of [68, 69]) add(step);
    await report.finished();
    expect(told).to.deep.equal([67, 69]);
  });
});

function settled(): Promise<void> {
  return new Promise((settle) => setImmediate(settle));
}
