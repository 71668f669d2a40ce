import { expect } from "chai";
import { createLog } from "../../lib/log.ts";
import type { TrainingProgress } from "../../services/trainer/engine/training-figures.ts";
import { ProgressReport } from "../../services/trainer/progress-report.ts";
import { ManualClock } from "../manual-clock.ts";

describe("the progress of a job", () => {
  it("is told at once, then ten times a second at most, the latest each time, and at last what came last", async () => {
    const clock = new ManualClock();
    const told: number[] = [];
    const publish = async ({ step }: { readonly step: number }) => void told.push(step);
    const report = new ProgressReport(publish, clock, createLog("test", "silent"));
    const add = (step: number) => report.add({ step, stepCount: 9 } as TrainingProgress, 1);
    for (const step of [1, 2, 3]) add(step);
    await settled();
    expect(told).to.deep.equal([1]);
    clock.advance(99);
    await settled();
    expect(told).to.deep.equal([1]);
    clock.advance(1);
    await settled();
    expect(told).to.deep.equal([1, 3]);
    for (const step of [4, 5]) add(step);
    await report.finished();
    expect(told).to.deep.equal([1, 3, 5]);
  });
});

function settled(): Promise<void> {
  return new Promise((settle) => setImmediate(settle));
}
