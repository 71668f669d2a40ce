import { status } from "@grpc/grpc-js";
import { expect } from "chai";
import type { RpcOptions } from "../../lib/rpc/client.ts";
import { remoteFaultOf } from "../../lib/rpc/status.ts";
import { startThread } from "../../lib/start-thread.ts";
import type { InferenceConfig } from "../../services/inference/config.ts";
import type { StartWorker, WorkerThread } from "../../services/inference/worker/worker-thread.ts";
import { FakeRegistry } from "./fake-registry.ts";
import { identityModel } from "./models.ts";
import { gateIndex, orders, runCountIndex } from "./obedient-thread.ts";
import { emptyFolder, type RunningNode, startNode } from "./running-node.ts";

describe("an inference node survives", function () {
  this.timeout(60_000);
  let registry: FakeRegistry;
  let folder: Awaited<ReturnType<typeof emptyFolder>>;
  let node: RunningNode;
  let shared: Int32Array;

  beforeEach(async () => {
    registry = new FakeRegistry();
    await registry.start();
    folder = await emptyFolder();
    shared = new Int32Array(new SharedArrayBuffer(8));
    registry.assign({ model: "echo", version: 1, ...registry.store(identityModel("UINT8", ["n"])), aliases: [] });
    await start();
  });

  const start = async (drainTimeoutMs = 20_000, settings: Partial<InferenceConfig> = {}) => {
    const startWorker: StartWorker = (threadStart) =>
      startThread(new URL("./obedient-thread", import.meta.url), {
        workerData: { ...threadStart, shared },
        resourceLimits: { maxOldGenerationSizeMb: 64 },
      }) as WorkerThread;
    const queue = { requestsMax: 1, rowsMax: 1_000_000, bytesMax: 1000 };
    registry.reports.splice(0);
    node = await startNode(
      folder.path,
      registry.address,
      { queue, drainTimeoutMs, quarantineMs: 2000, ...settings },
      { startWorker },
    );
    await registry.reportedState("models/echo/versions/1", "STATE_READY");
  };

  afterEach(async () => {
    openGate();
    await node.stop();
    await registry.stop();
    await folder.remove();
  });

  const openGate = () => {
    Atomics.store(shared, gateIndex, 1);
    Atomics.notify(shared, gateIndex);
  };
  const send = async (order: number, options: RpcOptions = {}): Promise<string> => {
    const inputs = [{ name: "x", datatype: "UINT8", shape: [2] }];
    const request = { modelName: "echo", inputs, rawInputContents: [Buffer.from([order, 42])] };
    try {
      const reply = await node.client.unary("ModelInfer", request, options);
      return `answer ${[...reply.rawOutputContents[0]]}`;
    } catch (thrown) {
      const { code, reason } = remoteFaultOf(thrown);
      return reason ?? status[code];
    }
  };
  const runsReach = async (count: number) => {
    while (Atomics.load(shared, runCountIndex) < count) await new Promise((resolve) => setTimeout(resolve, 1));
  };

  it("the end of a thread: its request is run once more and answered, the next ones work", async () => {
    expect(await send(orders.exit)).to.equal("WORKER_LOST");
    expect(Atomics.load(shared, runCountIndex)).to.equal(2);
    expect(await send(orders.none)).to.equal("answer 0,42");
  });

  it("the ends of three threads in a minute: the version is in quarantine, which the registry hears, and comes back", async () => {
    expect(await send(orders.exit)).to.equal("WORKER_LOST");
    expect(await send(orders.none)).to.equal("answer 0,42");
    expect(await send(orders.exit)).to.equal("WORKER_LOST");
    expect(await send(orders.none)).to.equal("MODEL_NOT_READY");
    const report = await registry.reportedState("models/echo/versions/1", "STATE_FAILED");
    expect(report.replicas[0]!.reason).to.contain("in quarantine: 3 sessions died within 60 s");
    expect((await node.client.unary("ServerReady", {})).ready).to.equal(true);
    await registry.reportedState("models/echo/versions/1", "STATE_READY");
    expect(await send(orders.none)).to.equal("answer 0,42");
  });

  it("a thread that runs out of memory", async () => {
    expect(await send(orders.exhaustMemory)).to.equal("WORKER_LOST");
    expect(await send(orders.none)).to.equal("answer 0,42");
  });

  it("more requests than may wait: the surplus is told when to come again", async () => {
    const running = send(orders.waitAtGate);
    await runsReach(1);
    const outcomes = await Promise.race([
      Promise.all([running, send(orders.none)]),
      Promise.all([send(orders.none), send(orders.none)]),
      send(orders.none).then((outcome) => [outcome]),
    ]);
    expect(outcomes).to.include("QUEUE_FULL");
    openGate();
    expect(await running).to.equal("answer 3,42");
    expect(await send(orders.none)).to.equal("answer 0,42");
  });

  it("more requests than may wait, told in Triton's words and with its status where that is set", async () => {
    await node.stop();
    await start(20_000, { overflowStatus: "UNAVAILABLE" });
    const running = send(orders.waitAtGate);
    await runsReach(1);
    const waiting = send(orders.none);
    await node.client.unary("ServerLive", {});
    const inputs = [{ name: "x", datatype: "UINT8", shape: [2] }];
    const request = { modelName: "echo", inputs, rawInputContents: [Buffer.from([orders.none, 42])] };
    const fault = await node.client.unary("ModelInfer", request).then(() => undefined, remoteFaultOf);
    expect(fault).to.include({ code: status.UNAVAILABLE, message: "Exceeds maximum queue size", reason: "OVERLOADED" });
    openGate();
    expect(await Promise.all([running, waiting])).to.deep.equal(["answer 3,42", "answer 0,42"]);
  });

  it("callers that go away or run out of time: what waited for them is never run", async () => {
    const running = send(orders.waitAtGate);
    await runsReach(1);
    expect(await send(orders.none, { timeoutMs: 30 })).to.equal("DEADLINE_EXCEEDED");
    const caller = new AbortController();
    const waiting = send(orders.none, { signal: caller.signal });
    await node.client.unary("ServerLive", {});
    caller.abort();
    expect(await waiting).to.equal("CANCELLED");
    await node.client.unary("ServerLive", {});
    openGate();
    expect(await running).to.equal("answer 3,42");
    expect(await send(orders.none)).to.equal("answer 0,42");
    expect(Atomics.load(shared, runCountIndex)).to.equal(2);
  });

  it("callers that go away while their request runs", async () => {
    const caller = new AbortController();
    const running = send(orders.waitAtGate, { signal: caller.signal });
    await runsReach(1);
    caller.abort();
    expect(await running).to.equal("CANCELLED");
    openGate();
    expect(await send(orders.none)).to.equal("answer 0,42");
  });

  it("a stop with grace: it tells the registry, finishes what it accepted, and then ends", async () => {
    const running = send(orders.waitAtGate);
    await runsReach(1);
    const stopped = node.service.stop();
    await registry.reported(({ draining }) => draining);
    let hasStopped = false;
    void stopped.then(() => {
      hasStopped = true;
    });
    await new Promise((resolve) => setImmediate(resolve));
    expect(hasStopped).to.equal(false);
    openGate();
    expect(await running).to.equal("answer 3,42");
    await stopped;
  });

  it("a stop whose time is up: callers are let go, and the run under way is waited for", async () => {
    await node.stop();
    await start(50);
    const running = send(orders.waitAtGate);
    await runsReach(1);
    const stopped = node.service.stop();
    expect(await running).to.be.oneOf(["UNAVAILABLE", "CANCELLED", "INTERNAL"]);
    openGate();
    await stopped;
  });
});
