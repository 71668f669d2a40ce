import { expect } from "chai";
import fc from "fast-check";
import { messageOf, ServiceError } from "../../lib/errors.ts";
import { InstancePool, type PoolOptions } from "../../services/inference/replicas/instance-pool.ts";
import { ManualClock } from "../manual-clock.ts";
import { plenty } from "./bounds.ts";
import { HandDrivenInstance, settled } from "./hand-driven-instance.ts";
import { poolOptions } from "./pool-options.ts";

describe("an instance pool", () => {
  let clock: ManualClock;
  let instances: HandDrivenInstance[];

  const started = async (options: Partial<PoolOptions> = {}): Promise<InstancePool> => {
    clock = new ManualClock();
    instances = [];
    const startInstance = async () => instances[instances.push(new HandDrivenInstance()) - 1];
    const queue = { ...plenty, requestsMax: 2, bytesMax: 100 };
    const pool = new InstancePool({ ...poolOptions(clock, startInstance), queue, ...options });
    await pool.start();
    return pool;
  };

  /** Sends a job that wants one output; `outcome` is that output's name or the reason of the fault. */
  const send = (pool: InstancePool, name: string, limits: { deadlineMs?: number; inputBytes?: number } = {}) => {
    const caller = new AbortController();
    const { deadlineMs = Infinity, inputBytes = 1 } = limits;
    const job = { inputs: [], outputNames: [name], inputBytes, priority: 0, timeoutMs: 0 };
    const sent: { outcome?: string; fault?: ServiceError; leave(): Promise<void> } = {
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
        sent.fault = fault;
        sent.outcome = fault instanceof ServiceError ? fault.reason : messageOf(fault);
      },
    );
    return sent;
  };

  it("runs jobs one at a time in the order of their arrival", async () => {
    const pool = await started();
    const sent = ["a", "b", "c"].map((name) => send(pool, name));
    for (let index = 0; index < 3; index++) {
      expect(instances[0].runs.length).to.equal(index + 1);
      await instances[0].finish();
    }
    expect(instances[0].runs).to.deep.equal(["a", "b", "c"]);
    expect(sent.map(({ outcome }) => outcome)).to.deep.equal(["a", "b", "c"]);
  });

  it("runs as many jobs at the same time as it has instances", async () => {
    const pool = await started({ sessionThreads: [1, 1, 1] });
    for (const name of ["a", "b", "c", "d"]) send(pool, name);
    expect(instances.map(({ runs }) => runs)).to.deep.equal([["a"], ["b"], ["c"]]);
    await instances[1].finish();
    expect(instances[1].runs).to.deep.equal(["b", "d"]);
  });

  it("refuses what exceeds the queue's requests and says when to come again", async () => {
    const pool = await started();
    const sent = ["a", "b", "c", "d"].map((name) => send(pool, name));
    await settled();
    expect(sent[3].outcome).to.equal("QUEUE_FULL");
    expect(sent[3].fault?.message).to.equal("Exceeds maximum queue size: 2 requests wait; at most 2 may");
    expect(sent[3].fault?.retryDelayMs).to.be.greaterThan(0);
    await instances[0].finish();
    expect(send(pool, "e").outcome).to.equal(undefined);
  });

  it("refuses what exceeds the queue's bytes, but not where an instance is free", async () => {
    const pool = await started();
    send(pool, "a", { inputBytes: 1000 });
    send(pool, "b", { inputBytes: 60 });
    const refused = send(pool, "c", { inputBytes: 41 });
    const taken = send(pool, "d", { inputBytes: 40 });
    await settled();
    expect(refused.fault?.message).to.contain("60 bytes wait and the request has 41; at most 100 may wait");
    expect([refused.outcome, taken.outcome]).to.deep.equal(["QUEUE_FULL", undefined]);
    expect(instances[0].runs).to.deep.equal(["a"]);
  });

  it("does not run what comes after its deadline, nor what waited beyond it", async () => {
    const pool = await started();
    const late = send(pool, "late", { deadlineMs: 0 });
    send(pool, "a");
    const waiting = send(pool, "b", { deadlineMs: 50 });
    const patient = send(pool, "c", { deadlineMs: 51 });
    clock.advance(50);
    await instances[0].finish();
    await instances[0].finish();
    expect([late, waiting, patient].map(({ outcome }) => outcome)).to.deep.equal([
      "DEADLINE_EXCEEDED",
      "DEADLINE_EXCEEDED",
      "c",
    ]);
    expect(instances[0].runs).to.deep.equal(["a", "c"]);
  });

  it("lets a caller that goes away leave the queue at once", async () => {
    const pool = await started();
    send(pool, "a");
    const b = send(pool, "b");
    const c = send(pool, "c");
    await b.leave();
    const d = send(pool, "d");
    for (let index = 0; index < 3; index++) await instances[0].finish();
    expect([b, c, d].map(({ outcome }) => outcome)).to.deep.equal(["CANCELLED", "c", "d"]);
    expect(instances[0].runs).to.deep.equal(["a", "c", "d"]);
  });

  it("drops the result of a job whose caller has gone, and goes on", async () => {
    const pool = await started();
    const a = send(pool, "a");
    const b = send(pool, "b");
    await a.leave();
    expect([a.outcome, instances[0].isBusy]).to.deep.equal(["CANCELLED", true]);
    await instances[0].finish();
    await instances[0].finish();
    expect(b.outcome).to.equal("b");
  });

  it("keeps an instance whose session refuses a job", async () => {
    const pool = await started();
    const a = send(pool, "a");
    const b = send(pool, "b");
    await instances[0].fail(new ServiceError("TENSOR_INVALID", "no"));
    await instances[0].finish();
    expect([a.outcome, b.outcome]).to.deep.equal(["TENSOR_INVALID", "b"]);
  });

  it("answers WORKER_LOST for the job of an instance that dies, replaces it after a wait, and runs what waited", async () => {
    const pool = await started();
    const a = send(pool, "a");
    const b = send(pool, "b");
    await instances[0].die();
    expect([a.outcome, b.outcome]).to.deep.equal(["WORKER_LOST", undefined]);
    clock.advance(99);
    await settled();
    expect(instances.length).to.equal(1);
    clock.advance(1);
    await settled();
    await instances[1].finish();
    expect(b.outcome).to.equal("b");
  });

  it("replaces an idle instance that dies, and never uses the dead one", async () => {
    const pool = await started({ sessionThreads: [1, 1] });
    await instances[0].die();
    const a = send(pool, "a");
    await instances[1].finish();
    clock.advance(100);
    await settled();
    expect([a.outcome, instances.length, instances[0].runs.length]).to.deep.equal(["a", 3, 0]);
  });

  it("fails what waits, and refuses what comes, while no instance can be started; then serves again", async () => {
    let isBroken = false;
    const pool = await started({
      startInstance: async () => {
        if (isBroken) throw new Error("no memory");
        return instances[instances.push(new HandDrivenInstance()) - 1];
      },
    });
    isBroken = true;
    send(pool, "a");
    const waiting = send(pool, "b");
    await instances[0].die();
    clock.advance(100);
    await settled();
    const refused = send(pool, "c");
    await settled();
    expect([waiting.outcome, refused.outcome]).to.deep.equal(["WORKER_LOST", "WORKER_LOST"]);
    isBroken = false;
    clock.advance(199);
    await settled();
    expect(instances.length).to.equal(1);
    clock.advance(1);
    await settled();
    const served = send(pool, "d");
    await instances[1].finish();
    expect(served.outcome).to.equal("d");
  });

  it("finishes what it accepted before it stops its instances, and takes nothing more", async () => {
    const pool = await started({ sessionThreads: [1, 1] });
    const accepted = ["a", "b", "c"].map((name) => send(pool, name));
    const stopped = pool.stop();
    const refused = send(pool, "d");
    await settled();
    expect([refused.outcome, instances.map(({ stopCount }) => stopCount)]).to.deep.equal(["MODEL_NOT_READY", [0, 0]]);
    for (const instance of [0, 1, 0]) await instances[instance].finish();
    await stopped;
    expect(accepted.map(({ outcome }) => outcome)).to.deep.equal(["a", "b", "c"]);
    expect(instances.map(({ stopCount }) => stopCount)).to.deep.equal([1, 1]);
  });

  it("runs what an instance had that dies while it stops once more, where another is left", async () => {
    const pool = await started({ sessionThreads: [1, 1] });
    const sent = send(pool, "a", { inputBytes: 0 });
    const stopped = pool.stop();
    await instances[0].die();
    expect(instances[1]).to.deep.include({ runs: ["a"], stopCount: 0 });
    await instances[1].finish();
    await stopped;
    expect([sent.outcome, instances[1].stopCount]).to.deep.equal(["a", 1]);
  });

  it("stops the instances that it has where another cannot be started", async () => {
    let startCount = 0;
    const first = new HandDrivenInstance();
    const startInstance = async () => {
      if (startCount++ === 0) return first;
      throw new Error("no memory");
    };
    const thrown = await started({ sessionThreads: [1, 1], startInstance }).catch(messageOf);
    expect([thrown, first.stopCount]).to.deep.equal(["no memory", 1]);
  });

  it("stops also the instances that are loaded only after another could not be started", async () => {
    const starts: { resolve(instance: HandDrivenInstance): void; reject(failure: unknown): void }[] = [];
    const startInstance = () =>
      new Promise<HandDrivenInstance>((resolve, reject) => void starts.push({ resolve, reject }));
    const thrown = started({ sessionThreads: [1, 1, 1, 1], startInstance }).catch(messageOf);
    const loaded = [0, 1, 2].map(() => new HandDrivenInstance());
    starts[0].resolve(loaded[0]);
    await settled();
    starts[1].resolve(loaded[1]);
    starts[2].reject(new Error("no memory"));
    await settled();
    starts[3].resolve(loaded[2]);
    expect(await thrown).to.equal("no memory");
    await settled();
    expect(loaded.map(({ stopCount }) => stopCount)).to.deep.equal([1, 1, 1]);
  });

  it("waits for every replacement under way when it stops, and stops what they load", async () => {
    const replacements: ((instance: HandDrivenInstance) => void)[] = [];
    let areLost = false;
    const startInstance = () =>
      areLost
        ? new Promise<HandDrivenInstance>((resolve) => void replacements.push(resolve))
        : Promise.resolve(instances[instances.push(new HandDrivenInstance()) - 1]);
    const pool = await started({ sessionThreads: [1, 1], startInstance });
    areLost = true;
    for (const instance of instances) await instance.die();
    clock.advance(1000);
    const order: string[] = [];
    const stopped = pool.stop().then(() => order.push("stopped"));
    const loaded = [new HandDrivenInstance(), new HandDrivenInstance()];
    for (const index of [1, 0]) {
      await settled();
      order.push(`replacement ${index}`);
      replacements[index](loaded[index]);
    }
    await stopped;
    expect(order).to.deep.equal(["replacement 1", "replacement 0", "stopped"]);
    expect(loaded.map(({ stopCount }) => stopCount)).to.deep.equal([1, 1]);
  });

  it("answers every job exactly once, whatever happens in whatever order", async () => {
    const step = fc.oneof(
      fc.record({ kind: fc.constant("send" as const), inputBytes: fc.integer({ min: 0, max: 60 }) }),
      fc.record({ kind: fc.constantFrom("finish" as const, "leave" as const, "die" as const), at: fc.nat(20) }),
      fc.record({ kind: fc.constant("advance" as const), byMs: fc.nat(300) }),
    );
    await fc.assert(
      fc.asyncProperty(fc.array(step, { maxLength: 60 }), async (steps) => {
        const pool = await started({ sessionThreads: [1, 1] });
        const sent: ReturnType<typeof send>[] = [];
        for (const next of steps) {
          if (next.kind === "send")
            sent.push(send(pool, `job ${sent.length}`, { ...next, deadlineMs: clock.now() + 500 }));
          else if (next.kind === "advance") clock.advance(next.byMs);
          else if (next.kind === "leave") await sent[next.at]?.leave();
          else if (next.kind === "die") await instances[next.at]?.die();
          else if (instances[next.at]?.isBusy) await instances[next.at].finish();
          await settled();
        }
        const stopped = pool.stop();
        for (let turn = 0; turn < 10; turn++) {
          for (const instance of instances) if (instance.isBusy) await instance.finish();
          await settled();
        }
        await stopped;
        const known = ["CANCELLED", "DEADLINE_EXCEEDED", "QUEUE_FULL", "WORKER_LOST"];
        for (const [index, { outcome }] of sent.entries()) expect(outcome).to.be.oneOf([...known, `job ${index}`]);
        const ended = instances.flatMap(({ runs, killed }) => runs.slice(0, killed === undefined ? undefined : -1));
        expect(new Set(ended).size).to.equal(ended.length);
      }),
    );
  });
});
