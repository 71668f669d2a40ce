import { expect } from "chai";
import type { Signature, Tensor } from "../../lib/tensor.ts";
import { type BatchSettings, unbatched } from "../../services/inference/batching/batch-settings.ts";
import { CoreBudget } from "../../services/inference/replicas/core-budget.ts";
import { InstancePool } from "../../services/inference/replicas/instance-pool.ts";
import { ManualClock } from "../manual-clock.ts";
import { HandDrivenInstance, settled } from "./hand-driven-instance.ts";
import { poolOptions } from "./pool-options.ts";

describe("pools that share the cores of a node", () => {
  let clock: ManualClock;
  let a: Shared;
  let b: Shared;

  /** A pool, its instances and what it has answered. */
  interface Shared {
    readonly pool: InstancePool;
    readonly instances: HandDrivenInstance[];
    readonly answers: string[];
    send(name: string, inputs?: readonly Tensor[]): Promise<void>;
  }
  const started = async (
    cores: CoreBudget,
    sessionThreads: readonly number[],
    batching?: BatchSettings,
    signature: Signature = { inputs: [], outputs: [] },
  ): Promise<Shared> => {
    const instances: HandDrivenInstance[] = [];
    const answers: string[] = [];
    const startInstance = async (threads: number) =>
      instances[instances.push(new HandDrivenInstance(signature, threads)) - 1];
    const pool = new InstancePool({ ...poolOptions(clock, startInstance), cores, sessionThreads, batching });
    await pool.start();
    const send = async (name: string, inputs: readonly Tensor[] = []) => {
      const job = { inputs, outputNames: [name], inputBytes: inputs.length, priority: 0, timeoutMs: 0 };
      const limits = { deadlineMs: Infinity, signal: new AbortController().signal };
      pool.run(job, limits).then(
        ([output]) => void answers.push(output.name),
        (fault) => void answers.push(fault.reason),
      );
      await settled();
    };
    return { pool, instances, answers, send };
  };

  beforeEach(async () => {
    clock = new ManualClock();
    const cores = new CoreBudget({ coreCount: 2, waitMsMax: 20, clock });
    [a, b] = [await started(cores, [2]), await started(cores, [1, 1])];
  });
  afterEach(async () => {
    const stopped = Promise.all([a.pool.stop(), b.pool.stop()]);
    for (let turn = 0; turn < 4; turn++) {
      for (const instance of [...a.instances, ...b.instances]) if (instance.isBusy) await instance.finish();
    }
    await stopped;
  });
  const running = () => [...a.instances, ...b.instances].map(({ isBusy }) => isBusy);

  it("run only what there are cores for, and take turns", async () => {
    await a.send("a1");
    await a.send("a2");
    await b.send("b1");
    await b.send("b2");
    expect(running()).to.deep.equal([true, false, false]);
    await a.instances[0].finish();
    expect(running()).to.deep.equal([false, true, true]);
    await b.instances[0].finish();
    expect(running()).to.deep.equal([false, false, true]);
    await b.instances[1].finish();
    expect(running()).to.deep.equal([true, false, false]);
    expect([a.answers, b.answers]).to.deep.equal([["a1"], ["b1", "b2"]]);
  });

  it("let nobody wait for a long run for longer than the bound: then one run shares the cores", async () => {
    await a.send("a1");
    await b.send("b1");
    await b.send("b2");
    clock.advance(19);
    expect(running()).to.deep.equal([true, false, false]);
    clock.advance(1);
    expect(running()).to.deep.equal([true, true, false]);
    clock.advance(20);
    expect(running()).to.deep.equal([true, true, true]);
  });

  it("run what has waited for company also where the cores were taken meanwhile, and stop with it", async () => {
    const cores = new CoreBudget({ coreCount: 1, waitMsMax: Infinity, clock });
    const rows = { name: "x", dataType: "UINT8", shape: ["n"], optional: false } as const;
    const patient = { ...unbatched, maxBatchSize: 8, requestRowsMax: 8, maxQueueDelayMs: 50 };
    const c = await started(cores, [1], patient, { inputs: [rows], outputs: [rows] });
    const d = await started(cores, [1]);
    const row = { ...rows, shape: [1], bytes: new Uint8Array(1) };
    await c.send("c1", [row]);
    await d.send("d1");
    clock.advance(50);
    await d.instances[0].finish();
    expect(c.instances[0].runs).to.deep.equal(["c1"]);
    await c.instances[0].finish();
    await c.send("c2", [row]);
    await d.send("d2");
    const stopped = c.pool.stop();
    await d.instances[0].finish();
    expect(c.instances[0].runs).to.deep.equal(["c1", "c2"]);
    await c.instances[0].finish();
    await Promise.all([stopped, d.pool.stop()]);
    expect(c.answers).to.deep.equal(["c1", "c2"]);
  });

  it("have the cores back of a session that dies", async () => {
    await a.send("a1");
    await b.send("b1");
    await a.instances[0].die();
    expect(running()).to.deep.equal([false, true, false]);
  });
});
