import { status } from "@grpc/grpc-js";
import { expect } from "chai";
import type { RpcOptions } from "../../lib/rpc/client.ts";
import { remoteFaultOf } from "../../lib/rpc/status.ts";
import { type AssignedVersion, FakeRegistry, type StoredFile } from "./fake-registry.ts";
import { identityModel } from "./models.ts";
import { emptyFolder, type RunningNode, startNode } from "./running-node.ts";
import { accumulating, accumulatorModel } from "./stateful-models.ts";
import { bytesOf, floatsOf } from "./wire.ts";

describe("a node whose versions do not all fit into its memory", function () {
  this.timeout(60_000);
  let registry: FakeRegistry;
  let folder: Awaited<ReturnType<typeof emptyFolder>>;
  let node: RunningNode;
  let bytes: StoredFile;

  beforeEach(async () => {
    registry = new FakeRegistry();
    await registry.start();
    bytes = registry.store(identityModel("UINT8", ["n"]));
    folder = await emptyFolder();
    node = await startNode(folder.path, registry.address, { memoryBudgetBytes: 100, loadWaitMsMax: 30_000 });
  });
  afterEach(async () => {
    await node.stop();
    await registry.stop();
    await folder.remove();
  });

  const version = (model: string, memoryBytes: number, isOnDemand = true): AssignedVersion => ({
    model,
    version: 1,
    ...bytes,
    aliases: [],
    memoryBytes,
    settings: isOnDemand ? { residency: "RESIDENCY_ON_DEMAND" } : {},
  });
  const send = async (modelName: string, options: RpcOptions = {}, count = 1): Promise<string> => {
    const request = {
      modelName,
      inputs: [{ name: "x", datatype: "UINT8", shape: [count] }],
      rawInputContents: [Buffer.alloc(count, 7)],
    };
    return node.client.unary("ModelInfer", request, options).then(
      ({ rawOutputContents }) => `answer ${[...rawOutputContents[0]!]}`,
      (thrown) => status[remoteFaultOf(thrown).code]!,
    );
  };
  const loaded = async () => {
    const { modelStats } = await node.client.unary("ModelStatistics", {});
    return modelStats.map(({ name }) => name);
  };
  const assigned = async (...versions: AssignedVersion[]) => {
    registry.assign(...versions);
    await registry.reported(({ replicas }) => replicas.length === versions.length);
  };

  it("answers each though they are never loaded together, and says of all that they are ready", async () => {
    await assigned(version("a", 40), version("b", 40), version("c", 40));
    expect(registry.reports.at(-1)!.replicas.map(({ state }) => state)).to.deep.equal(Array(3).fill("STATE_READY"));
    expect(await loaded()).to.deep.equal([]);
    for (const name of ["a", "b", "c"]) {
      expect((await node.client.unary("ModelReady", { name })).ready).to.equal(true);
      expect(await send(name)).to.equal("answer 7");
    }
    expect(await loaded()).to.deep.equal(["b", "c"]);
    const { models } = await node.client.unary("RepositoryIndex", { ready: true });
    expect(models.map(({ name, reason }) => [name, reason])).to.deep.equal([
      ["a", "loaded by its first request"],
      ["b", ""],
      ["c", ""],
    ]);
    // b was used less recently than c, until now.
    expect(await send("b")).to.equal("answer 7");
    expect((await node.client.unary("ModelMetadata", { name: "a" })).inputs[0]!.name).to.equal("x");
    expect(await loaded()).to.deep.equal(["a", "b"]);
  });

  it("answers every one of many requests for all of them at once", async () => {
    await assigned(version("a", 60), version("b", 60), version("c", 60));
    const names = Array.from({ length: 30 }, (_, index) => "abc"[index % 3]!);
    expect(await Promise.all(names.map((name) => send(name)))).to.deep.equal(names.map(() => "answer 7"));
  });

  it("keeps what has to stay, and says what it has no room for, how much that needs and how much there is", async () => {
    await assigned(version("stays", 70, false), version("large", 120, false), version("small", 40));
    const { replicas } = await registry.reported(({ replicas: all }) =>
      all.some(({ version: name, state }) => name.includes("stays") && state === "STATE_READY"),
    );
    const large = replicas.find((replica) => replica.version.includes("large"))!;
    expect([large.state, large.reason]).to.deep.equal([
      "STATE_FAILED",
      "it needs 120 bytes of memory; the node has 100, of which 30 are free or may be freed",
    ]);
    expect([await send("stays"), await send("small"), await send("large")]).to.deep.equal([
      "answer 7",
      "UNAVAILABLE",
      "UNAVAILABLE",
    ]);
  });

  it("loads again what could not be loaded only for the next request, and unloads nothing for it before", async () => {
    const identity = identityModel("UINT8", ["n"]);
    const torn = registry.store(identityModel("UINT8", ["m"]), identity.subarray(1));
    await assigned({ ...version("a", 60), ...torn }, version("b", 60));
    const stateOfA = (state: string) => registry.reportedState("models/a/versions/1", state);
    const failed = stateOfA("STATE_FAILED");
    expect(await send("a")).to.equal("UNAVAILABLE");
    await failed;
    const rested = stateOfA("STATE_READY");
    expect(await send("b")).to.equal("answer 7");
    await rested;
    expect(await loaded()).to.deep.equal(["b"]);
    registry.store(identityModel("UINT8", ["m"]));
    expect(await send("a")).to.equal("answer 7");
    expect(await loaded()).to.deep.equal(["a"]);
  });

  it("does not unload what keeps sequences for what needs its memory, which waits until they have ended", async () => {
    const settings = { ...accumulating, residency: "RESIDENCY_ON_DEMAND" } as const;
    const stateful = { ...version("s", 60), ...registry.store(accumulatorModel()), settings };
    await assigned(stateful, version("a", 60));
    const step = async (value: number, flag: string) => {
      const { rawOutputContents } = await node.client.unary("ModelInfer", {
        modelName: "s",
        inputs: [{ name: "x", datatype: "FP32", shape: [1, 2] }],
        rawInputContents: [bytesOf(Float32Array.of(value, 0))],
        parameters: { sequence_id: { stringParam: "one" }, [flag]: { boolParam: true } },
      });
      return floatsOf(rawOutputContents[0])[0];
    };
    expect(await step(1, "sequence_start")).to.equal(1);
    const waiting = send("a");
    expect(await send("a", { timeoutMs: 100 })).to.equal("DEADLINE_EXCEEDED");
    expect([await step(2, "none"), await loaded()]).to.deep.equal([3, ["s"]]);
    expect(await step(4, "sequence_end")).to.equal(7);
    expect([await waiting, await loaded()]).to.deep.equal(["answer 7", ["a"]]);
  });

  it("lets a request wait for a load for as long as its deadline allows, and the next one have what was loaded", async () => {
    let open = () => {};
    registry.gate = new Promise((resolve) => {
      open = () => resolve();
    });
    await assigned(version("a", 40));
    expect(await send("a", { timeoutMs: 50 })).to.equal("DEADLINE_EXCEEDED");
    const caller = new AbortController();
    const left = send("a", { signal: caller.signal });
    const patient = send("a", { timeoutMs: 20_000 });
    await node.client.unary("ServerLive", {});
    caller.abort();
    expect(await left).to.equal("CANCELLED");
    open();
    expect(await patient).to.equal("answer 7");
  });

  it("lets no more bytes wait for a load than may wait in a queue, for a version and in all", async () => {
    const unopened = new Promise<void>(() => {});
    await node.stop();
    const queue = { requestsMax: 9, rowsMax: 9, bytesMax: 1000 };
    const nodeQueue = { requestsMax: 9, rowsMax: 9, bytesMax: 1500 };
    node = await startNode(folder.path, registry.address, { memoryBudgetBytes: 100, queue, nodeQueue });
    registry.gate = unopened;
    await assigned(version("a", 10), version("b", 10), version("c", 10));
    const caller = new AbortController();
    const waiting = ["a", "b"].map((name) => send(name, { signal: caller.signal }, 600));
    await node.client.unary("ServerLive", {});
    expect([await send("a", {}, 401), await send("c", {}, 301)]).to.deep.equal(Array(2).fill("RESOURCE_EXHAUSTED"));
    expect(await send("a", { timeoutMs: 50 }, 300)).to.equal("DEADLINE_EXCEEDED");
    caller.abort();
    expect(await Promise.all(waiting)).to.deep.equal(["CANCELLED", "CANCELLED"]);
    // The node hears of it before it hears of what is sent later.
    await node.client.unary("ServerLive", {});
    expect(await send("c", { timeoutMs: 50 }, 1000)).to.equal("DEADLINE_EXCEEDED");
  });
});
