import { expect } from "chai";
import { ServiceError } from "../../lib/errors.ts";
import type { Tensor } from "../../lib/tensor.ts";
import { CoreBudget } from "../../services/inference/replicas/core-budget.ts";
import { InstancePool, type PoolOptions } from "../../services/inference/replicas/instance-pool.ts";
import { ManualClock } from "../manual-clock.ts";
import { HandDrivenInstance, settled } from "./hand-driven-instance.ts";
import { poolOptions } from "./pool-options.ts";

describe("a pool whose only instance takes a run ahead", () => {
  let clock: ManualClock;
  let instances: HandDrivenInstance[];
  let pool: InstancePool;

  const start = async (options: Partial<PoolOptions> = {}) => {
    clock = new ManualClock();
    instances = [];
    const startInstance = async () => {
      const instance = new HandDrivenInstance();
      instance.takesAhead = true;
      return instances[instances.push(instance) - 1];
    };
    pool = new InstancePool({ ...poolOptions(clock, startInstance), ...options });
    await pool.start();
  };
  beforeEach(() => start());

  /** Sends a job that wants one output; `outcome` is that output's name or the reason of the fault. */
  const send = (name: string, { deadlineMs = Infinity, inputs = [] as readonly Tensor[] } = {}) => {
    const caller = new AbortController();
    const inputBytes = inputs.reduce((sum, { bytes }) => sum + bytes.byteLength, 0);
    const job = { inputs, outputNames: [name], inputBytes, priority: 0, timeoutMs: 0 };
    const sent: { outcome?: string; leave(): Promise<void> } = {
      leave: async () => {
        caller.abort(new ServiceError("CANCELLED", "gone"));
        await settled();
      },
    };
    pool.run(job, { deadlineMs, signal: caller.signal }).then(
      ([output]) => {
        sent.outcome = output.name;
      },
      (fault) => {
        sent.outcome = fault.reason;
      },
    );
    return sent;
  };

  it("gives it one job besides the one under way, in their order, and answers all", async () => {
    const sent = ["a", "b", "c"].map((name) => send(name));
    const [instance] = instances;
    expect([instance.runs, instance.ahead, pool.usage.waitingRequests]).to.deep.equal([["a"], "b", 2]);
    await instance.finish();
    expect([instance.runs, instance.ahead, pool.usage.waitingRequests]).to.deep.equal([["a", "b"], "c", 1]);
    for (let index = 0; index < 2; index++) await instance.finish();
    expect(sent.map(({ outcome }) => outcome)).to.deep.equal(["a", "b", "c"]);
    expect([instance.isBusy, pool.usage.waitingRequests]).to.deep.equal([false, 0]);
    send("d");
    expect(instance.runs).to.deep.equal(["a", "b", "c", "d"]);
  });

  it("takes a job back whose caller goes, and gives the next one", async () => {
    const [a, b, c] = ["a", "b", "c"].map((name) => send(name));
    await b.leave();
    expect([b.outcome, instances[0].ahead]).to.deep.equal(["CANCELLED", "c"]);
    for (let index = 0; index < 2; index++) await instances[0].finish();
    expect([a.outcome, c.outcome, instances[0].runs]).to.deep.equal(["a", "c", ["a", "c"]]);
  });

  it("takes a job back whose deadline passes, which counts as one that has not begun", async () => {
    const failures: string[] = [];
    const { observer } = poolOptions(new ManualClock(), () => Promise.reject());
    await start({
      observer: { ran: observer.ran.bind(observer), answered: () => undefined, failed: (kind) => failures.push(kind) },
    });
    send("a");
    const b = send("b", { deadlineMs: clock.now() + 50 });
    clock.advance(50);
    await settled();
    expect([b.outcome, instances[0].ahead, failures]).to.deep.equal(["DEADLINE_EXCEEDED", undefined, ["REJECTED"]]);
    await instances[0].finish();
    expect([instances[0].runs, pool.usage.waitingRequests]).to.deep.equal([["a"], 0]);
  });

  it("drops the result of a job that has begun after it was given ahead, and counts it as begun", async () => {
    const failures: string[] = [];
    const { observer } = poolOptions(new ManualClock(), () => Promise.reject());
    await start({
      observer: { ran: observer.ran.bind(observer), answered: () => undefined, failed: (kind) => failures.push(kind) },
    });
    send("a");
    const b = send("b", { deadlineMs: clock.now() + 50 });
    await instances[0].finish();
    clock.advance(50);
    await settled();
    expect([b.outcome, failures]).to.deep.equal(["DEADLINE_EXCEEDED", ["CANCELED"]]);
    await instances[0].finish();
    expect(instances[0].isBusy).to.equal(false);
  });

  it("runs a job that had not begun when the instance died before the one that it died of, and as if nothing had been", async () => {
    const poison = send("poison");
    const innocent = send("innocent");
    await instances[0].die();
    clock.advance(1000);
    await settled();
    expect([instances[1].runs, instances[1].ahead]).to.deep.equal([["innocent"], "poison"]);
    await instances[1].die();
    clock.advance(1000);
    await settled();
    expect([instances[2].runs, instances[2].ahead]).to.deep.equal([["poison"], "innocent"]);
    await instances[2].die();
    clock.advance(1000);
    await settled();
    await instances[3].finish();
    expect([poison.outcome, innocent.outcome, pool.usage.waitingRequests]).to.deep.equal([
      "WORKER_LOST",
      "innocent",
      0,
    ]);
  });

  it("runs a job once more whose inputs have a buffer of their own and that was given ahead", async () => {
    const bytes = new Uint8Array(100_000).fill(7);
    send("a");
    const b = send("b", { inputs: [{ name: "x", dataType: "UINT8", shape: [100_000], bytes }] });
    await instances[0].die();
    clock.advance(1000);
    await settled();
    await instances[1].finish();
    await instances[1].finish();
    expect([b.outcome, bytes.byteLength]).to.deep.equal(["b", 100_000]);
  });

  it("fails a job that has not begun when the last instance dies as the version is unloaded", async () => {
    const sent = ["a", "b", "c"].map((name) => send(name));
    const stopped = pool.stop();
    await instances[0].die();
    await stopped;
    expect(sent.map(({ outcome }) => outcome)).to.deep.equal(["WORKER_LOST", "WORKER_LOST", "WORKER_LOST"]);
    expect(pool.usage.waitingRequests).to.equal(0);
  });

  it("gives nothing ahead where there are several instances, or others wait for the cores", async () => {
    await start({ sessionThreads: [1, 1] });
    for (const name of ["a", "b", "c"]) send(name);
    expect(instances.map(({ ahead }) => ahead)).to.deep.equal([undefined, undefined]);
    clock = new ManualClock();
    const cores = new CoreBudget({ coreCount: 1, waitMsMax: Infinity, clock });
    await start({ cores });
    send("a");
    const cancelWait = cores.wait(1, () => undefined);
    send("b");
    expect([instances[0].ahead, pool.usage.waitingRequests]).to.deep.equal([undefined, 1]);
    cancelWait();
    send("c");
    expect(instances[0].ahead).to.equal("b");
  });
});
