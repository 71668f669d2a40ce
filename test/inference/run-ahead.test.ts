import { createHash } from "node:crypto";
import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { expect } from "chai";
import { systemClock } from "../../lib/clock.ts";
import { startThread } from "../../lib/start-thread.ts";
import type { Tensor } from "../../lib/tensor.ts";
import { type Instance, startInstance } from "../../services/inference/replicas/instance.ts";
import { NotBegun, newRunClaim, RunClaim } from "../../services/inference/worker/run-claim.ts";
import type { WorkerThread } from "../../services/inference/worker/worker-thread.ts";
import { identityModel } from "./models.ts";
import { gateIndex, orders, runCountIndex } from "./obedient-thread.ts";
import { emptyFolder } from "./running-node.ts";

describe("a run that a busy thread is given", () => {
  let folder: Awaited<ReturnType<typeof emptyFolder>>;
  let shared: Int32Array;
  let instance: Instance;
  let busy: Promise<unknown>;

  beforeEach(async () => {
    folder = await emptyFolder();
    shared = new Int32Array(new SharedArrayBuffer(8));
    const bytes = identityModel("UINT8", ["n"]);
    const path = join(folder.path, "model");
    await writeFile(path, bytes);
    const modelFile = { path, sha256: createHash("sha256").update(bytes).digest("hex"), sizeBytes: bytes.length };
    const threads = { executionProviders: ["cpu"], intraOpThreads: 1, findsThreads: false, niceness: 0, keeps: [] };
    const deviceLock = new SharedArrayBuffer(4);
    const workerData = { modelFile, externalFiles: [], ...threads, deviceLock, markPath: undefined, shared };
    const worker = startThread(new URL("./obedient-thread", import.meta.url), { workerData }) as WorkerThread;
    const bounds = { loadMsMax: 60_000, runMsMax: 60_000 };
    instance = await startInstance(worker, { ...bounds, clock: systemClock, onLeftBehind: () => undefined });
    busy = outcomeOf(instance.run(inputs(orders.waitAtGate), ["y"]));
    while (Atomics.load(shared, runCountIndex) < 1) await new Promise((resolve) => setTimeout(resolve, 1));
  });
  afterEach(async () => {
    openGate();
    await instance.stop();
    await folder.remove();
  });

  const openGate = () => {
    Atomics.store(shared, gateIndex, 1);
    Atomics.notify(shared, gateIndex);
  };
  const inputs = (...bytes: number[]): readonly Tensor[] => [
    { name: "x", dataType: "UINT8", shape: [bytes.length], bytes: Uint8Array.from(bytes) },
  ];
  const outcomeOf = (run: Promise<{ readonly outputs: readonly Tensor[] }>): Promise<unknown> =>
    run.then(
      ({ outputs: [{ bytes }] }) => [...bytes],
      (failure) => (failure instanceof NotBegun ? "not begun" : failure.reason),
    );

  it("is run after the one under way, and cannot be taken back then", async () => {
    const { result, takeBack } = instance.runAhead(inputs(orders.none, 5), ["y"], Infinity);
    openGate();
    expect([await busy, await outcomeOf(result)]).to.deep.equal([[orders.waitAtGate], [orders.none, 5]]);
    expect(takeBack()).to.equal(false);
  });

  it("is never run once it was taken back, and the next one is", async () => {
    const { result, takeBack } = instance.runAhead(inputs(orders.none, 5), ["y"], Infinity);
    const outcome = outcomeOf(result);
    expect([takeBack(), takeBack()]).to.deep.equal([true, false]);
    const next = outcomeOf(instance.runAhead(inputs(orders.none, 6), ["y"], Infinity).result);
    openGate();
    expect([await outcome, await next]).to.deep.equal(["not begun", [orders.none, 6]]);
    expect(Atomics.load(shared, runCountIndex)).to.equal(2);
  });

  it("does not begin once its deadline has passed, though the host has not taken it back yet", async () => {
    const { result, takeBack } = instance.runAhead(inputs(orders.none, 5), ["y"], Date.now() - 1);
    const late = outcomeOf(result);
    openGate();
    await busy;
    expect(await outcomeOf(instance.run(inputs(orders.none, 6), ["y"]))).to.deep.equal([orders.none, 6]);
    expect([takeBack(), await late]).to.deep.equal([false, "DEADLINE_EXCEEDED"]);
  });

  it("has not begun where the thread ends before it", async () => {
    const outcomes = [orders.exit, orders.none].map((order) =>
      outcomeOf(instance.runAhead(inputs(order), ["y"], Infinity).result),
    );
    openGate();
    expect(await Promise.all([busy, ...outcomes])).to.deep.equal([[orders.waitAtGate], "not begun", "not begun"]);
    expect(instance.takesAhead).to.equal(false);
  });

  it("belongs to whoever claims it first", () => {
    const memory = newRunClaim();
    expect([new RunClaim(memory).take(), new RunClaim(memory).take()]).to.deep.equal([true, false]);
  });
});
