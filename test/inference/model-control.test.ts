import { status } from "@grpc/grpc-js";
import { expect } from "chai";
import { remoteFaultOf } from "../../lib/rpc/status.ts";
import type { InferenceConfig } from "../../services/inference/config.ts";
import { configJson } from "./config-json.ts";
import { FakeRegistry } from "./fake-registry.ts";
import { addingModel } from "./models.ts";
import { emptyFolder, type RunningNode, startNode } from "./running-node.ts";
import { bytesOf, floatsOf } from "./wire.ts";

describe("clients that control the models of a node", function () {
  this.timeout(60_000);
  let registry: FakeRegistry;
  let folder: Awaited<ReturnType<typeof emptyFolder>>;
  let node: RunningNode;

  beforeEach(async () => {
    registry = new FakeRegistry();
    await registry.start();
    folder = await emptyFolder();
  });

  afterEach(async () => {
    await node.stop();
    await registry.stop();
    await folder.remove();
  });

  const adding = (version: number, served?: Uint8Array) => ({
    model: "adding",
    version,
    ...registry.store(addingModel(version), served),
    aliases: version === 1 ? ["default"] : [],
  });
  const start = async (settings: Partial<InferenceConfig> = {}) => {
    node = await startNode(folder.path, registry.address, { modelControl: "explicit", ...settings });
    registry.assign(adding(1), adding(2), { ...adding(3), model: "other" });
    while ((await index()).length < 3) await new Promise((resolve) => setImmediate(resolve));
  };
  const index = async (ready = false) => {
    const { models } = await node.client.unary("RepositoryIndex", { ready });
    return models.map(({ name, version, state, reason }) => [name, version, state, reason].join(" ").trim());
  };
  const load = (modelName: string, config?: object) =>
    node.client.unary(
      "RepositoryModelLoad",
      { modelName, ...(config && { parameters: { config: { stringParam: JSON.stringify(config) } } }) },
      { timeoutMs: 20_000 },
    );
  const fault = (call: Promise<unknown>) => call.then(() => expect.fail("it was accepted"), remoteFaultOf);
  const ready = async (name: string, version = "") => (await node.client.unary("ModelReady", { name, version })).ready;
  const ask = async (modelVersion = "") => {
    const inputs = [{ name: "x", datatype: "FP32", shape: [1, 2] }];
    const request = { modelName: "adding", modelVersion, inputs, rawInputContents: [bytesOf(new Float32Array(2))] };
    const reply = await node.client.unary("ModelInfer", request, { timeoutMs: 10_000 });
    return [reply.modelVersion, ...floatsOf(reply.rawOutputContents[0])];
  };

  it("may do so only in the explicit mode", async () => {
    await start({ modelControl: "registry" });
    for (const method of ["RepositoryModelLoad", "RepositoryModelUnload"] as const) {
      const { code, message } = await fault(node.client.unary(method, { modelName: "adding" }));
      expect([status[code], message]).to.deep.equal([
        "FAILED_PRECONDITION",
        "explicit model load / unload is not allowed: the registry says what this node holds; " +
          "AMAAS_INFERENCE_MODEL_CONTROL=explicit allows it",
      ]);
    }
    await registry.reported(({ replicas }) => replicas.every(({ state }) => state === "STATE_READY"));
    expect(await index(true)).to.deep.equal(["adding 1 READY", "adding 2 READY", "other 3 READY"]);
  });

  it("load what they need, and unload it, as Triton's and KServe's clients say it", async () => {
    await start();
    expect(await index()).to.deep.equal([
      "adding 1 UNAVAILABLE not loaded",
      "adding 2 UNAVAILABLE not loaded",
      "other 3 UNAVAILABLE not loaded",
    ]);
    expect(await ready("adding")).to.equal(false);
    await load("adding");
    expect(await Promise.all([ready("adding"), ready("adding", "2"), ready("other")])).to.deep.equal([
      true,
      true,
      false,
    ]);
    expect(await index(true)).to.deep.equal(["adding 1 READY", "adding 2 READY"]);
    expect(await ask()).to.deep.equal(["1", 1, 1]);
    await node.client.unary("RepositoryModelLoad", { repositoryName: "other" });
    expect(await ready("other")).to.equal(true);
    const parameters = { unload_dependents: { boolParam: true } };
    await node.client.unary("RepositoryModelUnload", { modelName: "adding", parameters });
    expect(await Promise.all([ready("adding"), ready("adding", "1"), ready("other")])).to.deep.equal([
      false,
      false,
      true,
    ]);
    expect((await fault(ask())).reason).to.equal("MODEL_NOT_FOUND");
    await load("adding");
    expect(await ask("2")).to.deep.equal(["2", 2, 2]);
  });

  it("find loaded what the settings say, without asking", async () => {
    await start({ modelsLoadedAtStart: ["other"] });
    await registry.reportedState("models/other/versions/3", "STATE_READY");
    expect(await index(true)).to.deep.equal(["other 3 READY"]);
    await node.stop();
    await start({ modelsLoadedAtStart: ["*"] });
    await load("adding");
    await load("other");
    expect((await index(true)).length).to.equal(3);
  });

  it("load again what is to be run otherwise, and nothing else", async () => {
    await start();
    await load("adding", { version_policy: { specific: { versions: ["2"] } } });
    expect(await index(true)).to.deep.equal(["adding 2 READY"]);
    expect(await Promise.all([ready("adding"), ready("adding", "1")])).to.deep.equal([true, false]);
    await load("adding", { version_policy: { latest: { num_versions: 1 } }, instance_group: [{ count: 2 }] });
    expect(await ask()).to.deep.equal(["2", 2, 2]);
    expect((await fault(load("adding", { version_policy: { specific: { versions: [9] } } }))).message).to.contain(
      "none of its versions is one of the version policy",
    );
    expect(await ask()).to.deep.equal(["2", 2, 2]);
  });

  it("may send the config back that they got, with something changed, and are told what it says wrongly", async () => {
    await start();
    await load("adding");
    await ask();
    const config = async () => {
      const { config: found } = await node.client.unary("ModelConfig", { name: "adding" });
      return configJson(found!);
    };
    const runs = async () => {
      const { modelStats } = await node.client.unary("ModelStatistics", { name: "adding", version: "1" });
      return modelStats[0].executionCount;
    };
    const first = await config();
    await load("adding", first);
    // It was not loaded anew.
    expect(await runs()).to.equal("1");
    await load("adding", { ...first, instance_group: [{ count: 2 }] });
    expect([(await config()).instance_group, await runs()]).to.deep.equal([
      [{ name: "adding_0", count: 2, kind: "KIND_CPU" }],
      "0",
    ]);
    await load("adding", { ...(await config()), max_batch_size: 4 });
    const last = await config();
    expect(last).to.deep.include({
      max_batch_size: 4,
      instance_group: [{ name: "adding_0", count: 2, kind: "KIND_CPU" }],
    });
    const wrong = { ...last, input: [{ ...(last.input[0] as object), data_type: "TYPE_INT8" }] };
    const contradiction = "failed to load 'adding': " + 'config.input[0].data_type is "TYPE_INT8"; needed: "TYPE_FP32"';
    expect(await fault(load("adding", wrong))).to.include({ reason: "REQUEST_INVALID", message: contradiction });
    expect(await ask()).to.deep.equal(["1", 1, 1]);
    // What is not loaded is known once it is.
    await node.client.unary("RepositoryModelUnload", { modelName: "adding" });
    expect((await fault(load("adding", wrong))).message).to.equal(contradiction);
    while ((await index())[0] === "adding 1 UNLOADING");
    expect((await index())[0]).to.equal(`adding 1 UNAVAILABLE ${contradiction}`);
    await load("adding", last);
    expect([(await config()).max_batch_size, await ask()]).to.deep.equal([4, ["1", 1, 1]]);
  });

  it("are told why a load failed, what served before goes on, and another attempt may succeed", async () => {
    await start();
    await load("adding", { version_policy: { specific: { versions: [1] } } });
    const genuine = addingModel(2);
    const tampered = Buffer.from(genuine);
    tampered[tampered.length - 5]! ^= 1;
    adding(2, tampered);
    const refused = await fault(load("adding"));
    expect(refused).to.include({ code: status.FAILED_PRECONDITION, reason: "LOAD_FAILED" });
    expect(refused.message).to.match(/^failed to load 'adding': version 2: .* have SHA-256/);
    expect(await ask()).to.deep.equal(["1", 1, 1]);
    adding(2);
    await load("adding");
    expect(await ask("2")).to.deep.equal(["2", 2, 2]);
  });

  it("see in the index why a model is not loaded, and may try again", async () => {
    await start();
    adding(1, Buffer.alloc(3));
    expect((await fault(load("adding"))).reason).to.equal("LOAD_FAILED");
    expect((await index())[0]).to.match(/^adding 1 UNAVAILABLE failed to load 'adding': version 1: /);
    adding(1);
    await load("adding");
    expect(await ask()).to.deep.equal(["1", 1, 1]);
  });

  it("are told at once that there is no room for a model, and may load it when there is", async () => {
    node = await startNode(folder.path, registry.address, { modelControl: "explicit", memoryBudgetBytes: 100 });
    registry.assign({ ...adding(1), memoryBytes: 60 }, { ...adding(3), model: "other", memoryBytes: 70 });
    while ((await index()).length < 2) await new Promise((resolve) => setImmediate(resolve));
    await load("adding");
    const why = "it needs 70 bytes of memory; the node has 100, of which 40 are free or may be freed";
    const refused = await fault(load("other"));
    expect([refused.reason, refused.message]).to.deep.equal([
      "LOAD_FAILED",
      `failed to load 'other': version 3: ${why}`,
    ]);
    expect(await index()).to.deep.equal(["adding 1 READY", `other 3 UNAVAILABLE ${refused.message}`]);
    await node.client.unary("RepositoryModelUnload", { modelName: "adding" });
    await load("other");
    expect(await ready("other")).to.equal(true);
  });

  for (const [what, request, code, text] of [
    ["an unknown model", { modelName: "none" }, "NOT_FOUND", "failed to load 'none': it is not assigned to this node"],
    [
      "files",
      { modelName: "adding", parameters: { "file:1/model.onnx": { bytesParam: Buffer.alloc(1) } } },
      "UNIMPLEMENTED",
      "the parameter 'file:1/model.onnx' gives a file; needed: a version in the registry",
    ],
    [
      "an unknown parameter",
      { modelName: "adding", parameters: { colour: { stringParam: "red" } } },
      "INVALID_ARGUMENT",
      "the parameter 'colour' is not known; needed: only config",
    ],
    [
      "a config of another type",
      { modelName: "adding", parameters: { config: { boolParam: true } } },
      "INVALID_ARGUMENT",
      "the parameter 'config' is a boolParam; needed: stringParam",
    ],
  ] as const) {
    it(`are refused a load of ${what}`, async () => {
      await start();
      const refused = await fault(node.client.unary("RepositoryModelLoad", request));
      expect(status[refused.code]).to.equal(code);
      expect(refused.message).to.contain(text);
    });
  }
});
