import { readdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { expect } from "chai";
import { env, InferenceSession } from "onnxruntime-node";
import { readModel, writeModel } from "../../lib/onnx/model.ts";
import { remoteFaultOf } from "../../lib/rpc/status.ts";
import type { InferenceConfig } from "../../services/inference/config.ts";
import { FakeRegistry } from "./fake-registry.ts";
import { addingModel, cyclicModel, identityModel, withExternalData } from "./models.ts";
import { emptyFolder, type RunningNode, startNode } from "./running-node.ts";
import { bytesOf, floatsOf } from "./wire.ts";

describe("the versions of an inference node", function () {
  this.timeout(60_000);
  let registry: FakeRegistry;
  let folder: Awaited<ReturnType<typeof emptyFolder>>;
  let node: RunningNode | undefined;

  beforeEach(async () => {
    registry = new FakeRegistry();
    await registry.start();
    folder = await emptyFolder();
  });

  afterEach(async () => {
    await node?.stop();
    await registry.stop();
    await folder.remove();
  });

  const start = async (settings: Partial<InferenceConfig> = {}) => {
    registry.reports.splice(0);
    node = await startNode(folder.path, registry.address, settings);
  };
  const adding = (number: number, served?: Uint8Array) => ({
    model: "adding",
    version: number,
    ...registry.store(addingModel(number), served),
    aliases: number === 1 ? ["default"] : [],
  });
  /** [0, 0] plus what the version adds, with the version's number; or the reason of the fault. */
  const ask = async (modelVersion = ""): Promise<unknown> => {
    const inputs = [{ name: "x", datatype: "FP32", shape: [1, 2] }];
    const request = { modelName: "adding", modelVersion, inputs, rawInputContents: [bytesOf(new Float32Array(2))] };
    try {
      const reply = await node!.client.unary("ModelInfer", request, { timeoutMs: 10_000 });
      return [reply.modelVersion, ...floatsOf(reply.rawOutputContents[0])];
    } catch (thrown) {
      return remoteFaultOf(thrown).reason;
    }
  };
  const state = (number: number, wanted: string) => registry.reportedState(`models/adding/versions/${number}`, wanted);
  const artifactsHere = () => readdir(join(folder.path, "inference/node-1/artifacts"));

  it("are loaded beside those that serve, chosen by number, alias or default, and unloaded", async () => {
    await start();
    registry.assign(adding(1));
    await state(1, "STATE_READY");
    let served = 0;
    let goOn = true;
    const traffic = (async () => {
      for (; goOn; served++) expect(await ask()).to.deep.equal(["1", 1, 1]);
    })();
    registry.assign(adding(1), { ...adding(2), aliases: ["canary"] });
    await state(2, "STATE_READY");
    expect(await ask("2")).to.deep.equal(["2", 2, 2]);
    expect(await ask("canary")).to.deep.equal(["2", 2, 2]);
    goOn = false;
    await traffic;
    expect(served).to.be.greaterThan(0);
    registry.assign({ ...adding(2), aliases: ["default"] });
    await registry.reported(({ replicas }) => replicas.length === 1 && replicas[0].version.endsWith("/2"));
    expect([await ask(), await ask("1")]).to.deep.equal([["2", 2, 2], "VERSION_NOT_FOUND"]);
    registry.assign();
    await registry.reported(({ replicas }) => replicas.length === 0);
    expect(await ask()).to.equal("MODEL_NOT_FOUND");
    while ((await artifactsHere()).length > 0) await new Promise((resolve) => setImmediate(resolve));
  });

  it("are never loaded from a tampered download, which is reported with both digests; the others serve", async () => {
    await start();
    const tampered = Buffer.from(addingModel(2));
    tampered[tampered.length - 5]! ^= 1;
    const version = adding(2, tampered);
    registry.assign(adding(1), version);
    await state(1, "STATE_READY");
    const { replicas } = await state(2, "STATE_FAILED");
    const { reason } = replicas.find((replica) => replica.version.endsWith("/2"))!;
    expect(reason).to.match(new RegExp(`have SHA-256 [0-9a-f]{64}; needed: \\d+ with ${version.sha256}$`));
    expect([await ask("1"), await ask("2")]).to.deep.equal([["1", 1, 1], "MODEL_NOT_READY"]);
    expect(await artifactsHere()).not.to.include(version.sha256);
  });

  it("are loaded after all once the registry has the genuine bytes", async () => {
    await start();
    registry.assign(adding(2, Buffer.alloc(addingModel(2).length)));
    await state(2, "STATE_FAILED");
    adding(2);
    await state(2, "STATE_READY");
    expect(await ask()).to.deep.equal(["2", 2, 2]);
  });

  it("are not loaded from a cached file that was tampered with: it is fetched again", async () => {
    await start();
    const version = adding(1);
    registry.assign(version);
    await state(1, "STATE_READY");
    await node!.stop();
    await writeFile(
      join(folder.path, "inference/node-1/artifacts", version.sha256),
      Buffer.alloc(version.sizeBytes, 1),
    );
    await start();
    await state(1, "STATE_READY");
    expect(await ask()).to.deep.equal(["1", 1, 1]);
    expect(registry.downloads.length).to.equal(2);
  });

  it("are fetched once, with a break in between, and not again after a restart", async () => {
    registry.breakAfterBytes = 1024;
    const sizeBytes = identityModel("FP32", ["n".repeat(5000)]).length;
    const version = { ...adding(1), ...registry.store(identityModel("FP32", ["n".repeat(5000)])) };
    await start();
    registry.assign(version);
    await state(1, "STATE_READY");
    expect(sizeBytes).to.be.greaterThan(5000);
    expect(registry.downloads.map(({ offset }) => offset)).to.deep.equal([0, 1024]);
    await node!.stop();
    await start();
    await state(1, "STATE_READY");
    expect(registry.downloads.length).to.equal(2);
  });

  it("serve on while the registry is away, and after a restart without it", async () => {
    await start();
    registry.assign(adding(1));
    await state(1, "STATE_READY");
    await registry.stop();
    expect(await ask()).to.deep.equal(["1", 1, 1]);
    await node!.stop();
    await start();
    let answer = await ask();
    while (answer === "MODEL_NOT_READY") answer = await ask();
    expect(answer).to.deep.equal(["1", 1, 1]);
    await registry.start();
    const { replicas } = await registry.reported(() => true);
    expect(replicas).to.deep.equal([
      {
        version: "models/adding/versions/1",
        state: "STATE_READY",
        reason: "",
        variant: "default",
        executionProvider: "cpu",
        fallbackExecutionProviders: [],
        exchangeFailure: "",
      },
    ]);
  });

  it("are one process's: a second one of the same node does not start, and changes nothing, until the first has stopped", async () => {
    await start();
    registry.assign(adding(1));
    await state(1, "STATE_READY");
    const second = await startNode(folder.path, registry.address).catch((failure: unknown) => failure);
    expect(String(second)).to.equal(
      `FolderTaken: ${join(folder.path, "inference/node-1")} is in use by process ${process.pid}: stop it, or give this one another ` +
        "AMAAS_NODE_NAME or AMAAS_DATA_DIR",
    );
    expect(await ask()).to.deep.equal(["1", 1, 1]);
    await node!.stop();
    await start();
    await state(1, "STATE_READY");
  });

  it("follow the registry again after its stream broke", async () => {
    await start();
    registry.assign(adding(1));
    await state(1, "STATE_READY");
    for (let round = 2; round <= 4; round++) {
      registry.cut();
      registry.assign(adding(1), adding(round));
      await state(round, "STATE_READY");
      expect(await ask(String(round))).to.deep.equal([String(round), round, round]);
    }
    expect(registry.connectionCount).to.be.at.least(4);
  });

  it("are not waited for where they are still being fetched when the node stops, nor fetched then", async () => {
    registry.gate = new Promise(() => undefined);
    await start({ loadsMax: 2 });
    registry.assign(...[1, 2, 3, 4].map((number) => adding(number)));
    while (registry.downloads.length < 2) await new Promise((resolve) => setTimeout(resolve, 1));
    await node!.stop();
    expect(registry.downloads.length).to.equal(2);
  }).timeout(10_000);

  it("are reported at least once per heartbeat interval, with address, memory and load", async () => {
    registry.heartbeatIntervalMs = 50;
    await start();
    registry.assign(adding(1));
    await state(1, "STATE_READY");
    for (let i = 0; i < 3; i++) await ask();
    expect(await ask("7")).to.equal("VERSION_NOT_FOUND");
    const count = registry.reports.length;
    const report = await registry.reported(() => registry.reports.length >= count + 3);
    expect(report).to.deep.include({
      name: "nodes/node-1",
      address: node!.address,
      draining: false,
      load: { outstandingRequests: 0, answeredRequests: 3 },
    });
    expect(report.memoryBytes).to.be.greaterThan(1e6);
  });

  it("are reported by a node that says what it can run, as its runtime does", async () => {
    await start({ memoryBudgetBytes: 5_000_000, zone: "eu-1" });
    const { capabilities, zone } = await registry.reported(() => true);
    expect(zone).to.equal("eu-1");
    expect(capabilities).to.deep.include({
      executionProviders: ["cpu"],
      missingExecutionProviders: {},
      memoryBudgetBytes: 5_000_000,
    });
    expect(capabilities!.runtime).to.equal(`onnxruntime ${env.versions.node}`);
    expect(capabilities!.cores).to.be.at.least(1);
    expect(Object.keys(capabilities!.opsets)).to.have.members(["ai.onnx", "ai.onnx.ml"]);
    const loads = async (opset: number) => {
      const opsetImport = [{ domain: "", version: opset }];
      const bytes = writeModel({ ...readModel(identityModel("FP32", [1])), opsetImport });
      return InferenceSession.create(bytes, { logSeverityLevel: 4 }).then(
        (session) => session.release().then(() => true),
        () => false,
      );
    };
    const newest = capabilities!.opsets["ai.onnx"];
    expect([await loads(newest), await loads(newest + 1)]).to.deep.equal([true, false]);
  });

  it("run on an execution provider that the node offers; without one they fail with its name", async () => {
    await start();
    const version = { version: 1, ...registry.store(identityModel("UINT8", ["n"])), aliases: [] };
    registry.assign(
      { model: "best", ...version, executionProviders: ["cuda", "cpu"] },
      { model: "none", ...version, executionProviders: ["tensorrt", "cuda"] },
    );
    const { replicas } = await registry.reported(({ replicas }) =>
      ["STATE_READY", "STATE_FAILED"].every((wanted) => replicas.some(({ state }) => state === wanted)),
    );
    expect(replicas.map(({ executionProvider }) => executionProvider)).to.have.members(["cpu", "tensorrt"]);
    expect(replicas.find(({ state }) => state === "STATE_FAILED")!.reason).to.equal(
      "the execution providers of the version are tensorrt, cuda; this node offers cpu",
    );
  });

  it("that are no model, or cannot be loaded, or are not there, fail with the reason, and one that can is served", async () => {
    await start();
    const external = withExternalData(addingModel(5), { constant: { location: "weights.bin" } }).model;
    const stored = (model: string, bytes: Uint8Array) => ({ model, version: 1, ...registry.store(bytes), aliases: [] });
    registry.assign(
      stored("text", Buffer.from("not a model")),
      { model: "missing", version: 1, sha256: "0".repeat(64), sizeBytes: 5, aliases: [] },
      stored("cycle", cyclicModel()),
      stored("fileless", external),
      {
        ...stored("gone", external),
        externalFiles: [{ location: "weights.bin", sha256: "1".repeat(64), sizeBytes: 4 }],
      },
      stored("fine", identityModel("UINT8", ["n"])),
    );
    const { replicas } = await registry.reported(
      (report) => report.replicas.length === 6 && report.replicas.every(({ state }) => state !== "STATE_LOADING"),
    );
    const reasons = Object.fromEntries(replicas.map(({ version, reason }) => [version.split("/")[1], reason]));
    expect(reasons.text).to.match(/^not an ONNX model: /);
    expect(reasons.missing).to.equal(`artifacts/${"0".repeat(64)} is not found`);
    expect(reasons.cycle).to.match(/^the runtime cannot load the model: .*(cycle|not a DAG|acyclic)/i);
    expect(reasons.fileless).to.equal(
      'the tensor "constant" keeps its data in "weights.bin"; needed: one of the external files, there are none',
    );
    expect(reasons.gone).to.equal(`artifacts/${"1".repeat(64)} is not found`);
    expect(reasons.fine).to.equal("");
  });
});
