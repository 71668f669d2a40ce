import { expect } from "chai";
import type { ServiceError } from "../../lib/errors.ts";
import type { Tensor } from "../../lib/tensor.ts";
import { InstancePool } from "../../services/inference/replicas/instance-pool.ts";
import type { Hold } from "../../services/inference/tensors/held-tensor.ts";
import { ManualClock } from "../manual-clock.ts";
import { HandDrivenInstance, held, settled } from "./hand-driven-instance.ts";
import { poolOptions } from "./pool-options.ts";

/** What a session keeps, and how often it was let go. */
class CountedHold implements Hold {
  isGone = false;
  letGoCount = 0;

  letGo(): void {
    this.letGoCount++;
  }
}

describe("a pool whose instances keep tensors", () => {
  let clock: ManualClock;
  let instances: HandDrivenInstance[];
  let lostCount: number;
  let pool: InstancePool;

  beforeEach(async () => {
    clock = new ManualClock();
    instances = [];
    lostCount = 0;
    const startInstance = async () => instances[instances.push(new HandDrivenInstance()) - 1];
    pool = new InstancePool({ ...poolOptions(clock, startInstance), onLost: () => lostCount++ });
    await pool.start();
  });

  /** Sends a job that takes what an instance keeps; `outcome` is its outputs or the reason of the fault. */
  const send = (hold?: Hold) => {
    const caller = new AbortController();
    const input: Tensor = { name: "x", dataType: "FP32", shape: [1], bytes: new Uint8Array() };
    const inputs = hold === undefined ? [] : [held(input, hold)];
    const sent: { outcome?: readonly Tensor[] | string; readonly caller: AbortController } = { caller };
    pool
      .run(
        { inputs, outputNames: ["y"], inputBytes: 4, priority: 0, timeoutMs: 0 },
        { deadlineMs: Infinity, signal: caller.signal },
      )
      .then(
        (outputs) => {
          sent.outcome = outputs;
        },
        (fault: ServiceError) => {
          sent.outcome = fault.reason;
        },
      );
    return sent;
  };

  it("lets go what it gives to nobody: the caller has gone while it ran", async () => {
    const [taken, dropped] = [new CountedHold(), new CountedHold()];
    const sent = [send(), send()];
    await instances[0].finish(taken);
    sent[1].caller.abort("gone");
    await instances[0].finish(dropped);
    expect([taken.letGoCount, dropped.letGoCount]).to.deep.equal([0, 1]);
  });

  it("gives no other instance what a lost one was to run with: it fails those under way, and those that wait or come", async () => {
    const hold = new CountedHold();
    const underWay = send(hold);
    const [waiting, other] = [send(hold), send()];
    hold.isGone = true;
    await instances[0].die();
    expect([underWay.outcome, waiting.outcome, other.outcome]).to.deep.equal(["WORKER_LOST", "WORKER_LOST", undefined]);
    const late = send(hold);
    await settled();
    expect(late.outcome).to.equal("WORKER_LOST");
    expect(lostCount).to.equal(1);
    clock.advance(1000);
    await settled();
    await instances[1].finish();
    expect(other.outcome).to.be.an("array");
    expect(instances[1].runs.length).to.equal(1);
  });

  it("takes a run back into the queue that a lost instance had not begun only where it can be run elsewhere", async () => {
    instances[0].takesAhead = true;
    send();
    const hold = new CountedHold();
    const ahead = send(hold);
    expect(instances[0].ahead).to.equal("y");
    hold.isGone = true;
    await instances[0].die();
    expect(ahead.outcome).to.equal("WORKER_LOST");
  });
});
