import { expect } from "chai";
import type { ServingSettings } from "../../lib/gen/amaas/registry/v1/ServingSettings.ts";
import { remoteFaultOf } from "../../lib/rpc/status.ts";
import { startThread } from "../../lib/start-thread.ts";
import { unbatched } from "../../services/inference/batching/batch-settings.ts";
import { poolSettings } from "../../services/inference/replicas/pool-settings.ts";
import type { ThreadStart } from "../../services/inference/worker/thread-protocol.ts";
import type { StartWorker, WorkerThread } from "../../services/inference/worker/worker-thread.ts";
import { unsetSettings } from "./aspired.ts";
import { type AssignedVersion, FakeRegistry, type StoredFile } from "./fake-registry.ts";
import { identityModel } from "./models.ts";
import { gateIndex, orders, runCountIndex } from "./obedient-thread.ts";
import { emptyFolder, type RunningNode, startNode } from "./running-node.ts";

describe("the settings of a version", function () {
  this.timeout(60_000);
  let registry: FakeRegistry;
  let folder: Awaited<ReturnType<typeof emptyFolder>>;
  let node: RunningNode;
  let bytes: StoredFile;
  let shared: Int32Array;
  /** What every thread was started with, and how many have ended. */
  let threads: ThreadStart[];
  let endedCount: number;
  let obedient: StartWorker;

  beforeEach(async () => {
    registry = new FakeRegistry();
    await registry.start();
    bytes = registry.store(identityModel("UINT8", ["n"]));
    folder = await emptyFolder();
    shared = new Int32Array(new SharedArrayBuffer(8));
    threads = [];
    endedCount = 0;
    obedient = (threadStart) => {
      threads.push(threadStart);
      const options = { workerData: { ...threadStart, shared } };
      const thread = startThread(new URL("./obedient-thread", import.meta.url), options);
      thread.once("exit", () => endedCount++);
      return thread as WorkerThread;
    };
    const queue = { requestsMax: 2, rowsMax: 1_000_000, bytesMax: 1000 };
    node = await startNode(
      folder.path,
      registry.address,
      { queue, coreCount: 8, intraOpThreads: 3 },
      { startWorker: obedient },
    );
    await assigned();
  });
  afterEach(async () => {
    openGate();
    await node.stop();
    await registry.stop();
    await folder.remove();
  });

  /** Assigns the model; answers how its threads were started, once these are the only ones and it is ready. */
  const assigned = async (change: Partial<AssignedVersion> = {}, sessionCount = 1) => {
    const before = threads.length;
    registry.assign({ model: "echo", version: 1, ...bytes, aliases: [], ...change });
    await registry.reported(
      ({ replicas }) =>
        threads.length === before + sessionCount && endedCount === before && replicas[0].state === "STATE_READY",
    );
    return threads.slice(before);
  };
  const openGate = () => {
    Atomics.store(shared, gateIndex, 1);
    Atomics.notify(shared, gateIndex);
  };
  const send = async (order: number): Promise<string> => {
    const inputs = [{ name: "x", datatype: "UINT8", shape: [2] }];
    const request = { modelName: "echo", inputs, rawInputContents: [Buffer.from([order, 42])] };
    return node.client.unary("ModelInfer", request, { timeoutMs: 10_000 }).then(
      () => "answer",
      (thrown) => remoteFaultOf(thrown).reason ?? "no reason",
    );
  };

  it("are those of the node where nobody has set anything", () => {
    expect(
      threads.map(({ intraOpThreads, executionProviders }) => [intraOpThreads, ...executionProviders]),
    ).to.deep.equal([[3, "cpu"]]);
  });

  it("decide on sessions and their threads, also of a version that serves, without a request refused", async () => {
    let goOn = true;
    const outcomes = new Set<string>();
    const traffic = (async () => {
      while (goOn) outcomes.add(await send(orders.none));
    })();
    const instanceGroups = [
      { executionProvider: "cpu", count: 2, intraOpThreads: 1 },
      { executionProvider: "cuda", count: 5 },
      { count: 1 },
    ];
    const changed = await assigned({ settings: { instanceGroups } }, 3);
    expect(changed.map(({ intraOpThreads }) => intraOpThreads)).to.deep.equal([1, 1, 3]);
    const again = await assigned({ settings: { revision: 9 } });
    expect(again.map(({ intraOpThreads }) => intraOpThreads)).to.deep.equal([3]);
    goOn = false;
    await traffic;
    expect([...outcomes]).to.deep.equal(["answer"]);
  });

  it("decide on how many requests may wait", async () => {
    const limits: ServingSettings["limits"] = { queueRequestsMax: 4 };
    await assigned({ settings: { limits } });
    const running = send(orders.waitAtGate);
    while (Atomics.load(shared, runCountIndex) < 1) await new Promise((resolve) => setTimeout(resolve, 1));
    const waiting = Array.from({ length: 5 }, () => send(orders.none));
    const refused = await Promise.race(waiting);
    openGate();
    expect([refused, (await Promise.all([running, ...waiting])).sort()]).to.deep.equal([
      "QUEUE_FULL",
      ["QUEUE_FULL", ...Array(5).fill("answer")],
    ]);
  });

  it("that a node does not apply change nothing", async () => {
    const settings: ServingSettings = { revision: 2, replicas: 3, versionPolicy: { latest: 2 } };
    registry.assign(
      { model: "echo", version: 1, ...bytes, aliases: [], settings },
      { model: "other", version: 1, ...registry.store(identityModel("INT8", ["n"])), aliases: [] },
    );
    await registry.reportedState("models/other/versions/1", "STATE_READY");
    expect(threads.length).to.equal(2);
  });

  it("decide on warm-ups, which have run before it is ready, also in a session that replaces another", async () => {
    const warmUps: ServingSettings["warmUps"] = [
      { rows: 2, count: 3 },
      { inputs: [{ name: "x", raw: Buffer.from([orders.none]) }] },
    ];
    await assigned({ settings: { warmUps } });
    expect(Atomics.load(shared, runCountIndex)).to.equal(4);
    await send(orders.exit);
    expect(await send(orders.none)).to.equal("answer");
    expect(Atomics.load(shared, runCountIndex)).to.equal(4 + 2 + 2 * 4 + 1);
  });

  it("fail the version where a warm-up cannot be made or run, with the reason, and the one before stays", async () => {
    const refused = async (warmUps: ServingSettings["warmUps"], why: string) => {
      registry.assign({ model: "echo", version: 2, ...bytes, aliases: [], settings: { warmUps } });
      await registry.reported(({ replicas }) => replicas.some(({ reason }) => reason.includes(why)));
      expect(await send(orders.none)).to.equal("answer");
    };
    await refused([{ inputs: [{ name: "y" }] }], "warm-up 1 failed: a warm-up names the input 'y'; needed: one of 'x'");
    await refused(
      [{}, { inputs: [{ name: "x", raw: Buffer.from([0, 0]) }] }],
      "warm-up 2 failed: the warm-up's input 'x'",
    );
  });

  it("that cannot work leave what serves as it is, and the report says why, until they do", async () => {
    const refused = async (settings: ServingSettings, executionProviders: string[], why: string) => {
      registry.assign({ model: "echo", version: 1, ...bytes, aliases: [], settings, executionProviders });
      const { replicas } = await registry.reported(({ replicas: [{ exchangeFailure }] }) =>
        exchangeFailure.includes(why),
      );
      expect(replicas.map(({ state, reason, executionProvider }) => [state, reason, executionProvider])).to.deep.equal([
        ["STATE_READY", "", "cpu"],
      ]);
      expect(await send(orders.none)).to.equal("answer");
    };
    await refused({}, ["nowhere"], "nowhere");
    await refused({ warmUps: [{ inputs: [{ name: "q" }] }] }, ["cpu"], "a warm-up names the input 'q'");
    await refused({ sequenceBatching: { states: [{ inputName: "x", outputName: "q" }] } }, ["cpu"], "'q'");
    registry.assign({ model: "echo", version: 1, ...bytes, aliases: [], settings: {} });
    await registry.reported(
      ({ replicas: [{ exchangeFailure, state }] }) => exchangeFailure === "" && state === "STATE_READY",
    );
  });

  it("fail the version where a warm-up does not come back in time, which keeps no other version from being loaded", async () => {
    await node.stop();
    node = await startNode(folder.path, registry.address, { warmUpMsMax: 200, loadsMax: 1 }, { startWorker: obedient });
    const warmUps: ServingSettings["warmUps"] = [{ inputs: [{ name: "x", raw: Buffer.from([orders.waitAtGate]) }] }];
    registry.assign(
      { model: "endless", version: 1, ...bytes, aliases: [], settings: { warmUps } },
      { model: "other", version: 1, ...registry.store(identityModel("INT8", ["n"])), aliases: [] },
    );
    const { replicas } = await registry.reported(({ replicas: all }) =>
      all.some(({ version, state }) => version.includes("other") && state === "STATE_READY"),
    );
    expect(replicas.find(({ version }) => version.includes("endless"))).to.include({
      state: "STATE_FAILED",
      reason:
        "warm-up 1 failed: the session has not come back within 200 ms, which its runs may take before it is ready",
    });
  });

  it("and its variant are exchanged while it serves", async () => {
    let goOn = true;
    const outcomes = new Set<string>();
    const traffic = (async () => {
      while (goOn) outcomes.add(await send(orders.none));
    })();
    await assigned({ variant: "other", ...registry.store(identityModel("UINT8", ["m"])) });
    goOn = false;
    await traffic;
    expect([...outcomes]).to.deep.equal(["answer"]);
    expect(registry.reports.at(-1)!.replicas.map(({ variant }) => variant)).to.deep.equal(["other"]);
  });
});

describe("a replica's pool", () => {
  const node = {
    instanceCount: 2,
    intraOpThreads: 4,
    coreCount: 8,
    queue: { requestsMax: 10, rowsMax: 1_000_000, bytesMax: 100 },
  };

  it("is set as the node is, and where the version is set, as that on the provider that it runs on", () => {
    const unset = {
      sessionThreads: [4, 4],
      keeps: [],
      queue: node.queue,
      batching: undefined,
      defaultTimeoutMs: Infinity,
    };
    expect(poolSettings(unsetSettings, "cpu", node)).to.deep.equal(unset);
    const set = {
      instanceGroups: [
        { executionProvider: "cuda", count: 2, intraOpThreads: 1 },
        { executionProvider: "cpu", count: 7, intraOpThreads: 0 },
        { executionProvider: "", count: 1, intraOpThreads: 20 },
      ],
      queueRowsMax: 5,
      queueBytesMax: 7,
      defaultTimeoutMs: 9,
      batching: unbatched,
    };
    expect(poolSettings({ ...unsetSettings, ...set }, "cuda", node)).to.deep.equal({
      sessionThreads: [1, 1, 8],
      keeps: [],
      queue: { requestsMax: 10, rowsMax: 5, bytesMax: 7 },
      batching: unbatched,
      defaultTimeoutMs: 9,
    });
  });

  it("has one session, which keeps states and feedbacks, where the provider can keep them", () => {
    const state = { inputName: "s", outputName: "next", initialShape: [], initialRaw: new Uint8Array() };
    const feedbacks = [
      { outputName: "y", inputName: "x" },
      { outputName: "y", inputName: "z" },
    ];
    const set = {
      ...unsetSettings,
      sequences: { states: [state], sequencesMax: 0, idleMs: 0 },
      decoupled: { lastOutput: "", responsesMax: 1, feedbacks },
    };
    expect(poolSettings(set, "webgpu", node)).to.deep.include({ sessionThreads: [4], keeps: ["next", "y"] });
    for (const provider of ["cpu", "cuda"]) {
      expect(poolSettings(set, provider, node)).to.deep.include({ sessionThreads: [4, 4], keeps: [] });
    }
    expect(poolSettings(unsetSettings, "webgpu", node)).to.deep.include({ sessionThreads: [4, 4], keeps: [] });
  });
});
