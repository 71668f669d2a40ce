import { expect } from "chai";
import { SessionOverdue } from "../../services/inference/replicas/instance.ts";
import { InstancePool } from "../../services/inference/replicas/instance-pool.ts";
import { ManualClock } from "../manual-clock.ts";
import { HandDrivenInstance, settled } from "./hand-driven-instance.ts";
import { poolOptions } from "./pool-options.ts";

describe("an instance pool that leaves threads behind", () => {
  it("is gone only once the threads are that did not come back before they were ready, at first or in the place of others", async () => {
    const clock = new ManualClock();
    const ends: (() => void)[] = [];
    const overdue = () => new SessionOverdue("it did not come back", new Promise((resolve) => ends.push(resolve)));
    const first = new HandDrivenInstance();
    let startedCount = 0;
    const pool = new InstancePool(
      poolOptions(clock, async () => {
        if (startedCount++ > 0) throw overdue();
        return first;
      }),
    );
    await pool.start();
    await first.die();
    clock.advance(100);
    await settled();
    expect(pool.usage.leftBehindCount).to.equal(1);
    const begun = new InstancePool({
      ...poolOptions(clock, async () => {
        if (startedCount++ > 2) throw overdue();
        return new HandDrivenInstance();
      }),
      sessionThreads: [1, 1, 1],
    });
    await begun.start().catch(() => undefined);
    expect(begun.usage.leftBehindCount).to.equal(2);
    let goneCount = 0;
    const gone = [pool, begun].map((one) => one.gone().then(() => goneCount++));
    await settled();
    expect(goneCount).to.equal(0);
    for (const end of ends) end();
    await Promise.all(gone);
  });
});
