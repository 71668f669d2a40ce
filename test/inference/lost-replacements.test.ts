import { expect } from "chai";
import { ServiceError } from "../../lib/errors.ts";
import { InstancePool } from "../../services/inference/replicas/instance-pool.ts";
import { ManualClock } from "../manual-clock.ts";
import { HandDrivenInstance, settled } from "./hand-driven-instance.ts";
import { poolOptions } from "./pool-options.ts";

describe("an instance that dies while it loads in the place of another", () => {
  const quarantinesAfter = async (failure: ServiceError) => {
    const clock = new ManualClock();
    const first = new HandDrivenInstance();
    const quarantines: string[] = [];
    let startedCount = 0;
    const pool = new InstancePool({
      ...poolOptions(clock, async () => {
        if (startedCount++ > 0) throw failure;
        return first;
      }),
      crashes: { countMax: 3, withinMs: 60_000 },
      onQuarantine: (why) => quarantines.push(why),
    });
    await pool.start();
    await first.die();
    for (let count = 0; count < 5; count++) {
      clock.advance(1000);
      await settled();
    }
    await pool.stop();
    return { quarantines, startedCount };
  };

  it("is one of the deaths that put the version in quarantine", async () => {
    expect(await quarantinesAfter(new ServiceError("WORKER_LOST", "it died over it"))).to.deep.equal({
      quarantines: ["3 sessions died within 60 s, the last one: it died over it"],
      startedCount: 3,
    });
  });

  it("is none of them where it could not be loaded", async () => {
    expect(await quarantinesAfter(new ServiceError("INTERNAL", "the node is short of memory"))).to.deep.equal({
      quarantines: [],
      startedCount: 6,
    });
  });
});
