import { status } from "@grpc/grpc-js";
import { expect } from "chai";
import { artifactName, versionName } from "../../lib/resource-names.ts";
import { catalogueStores } from "./catalogue-stores.ts";
import { addingModel, linearModel } from "./onnx-files.ts";
import { externalModel, node, rawModel, tensor } from "./raw-models.ts";
import {
  emptyFolder,
  faultOf,
  publish,
  type RunningRegistry,
  sha256Of,
  startRegistry,
  upload,
} from "./running-registry.ts";

for (const store of catalogueStores) {
  describe(`variants of versions (${store.name})`, () => {
    let folder: Awaited<ReturnType<typeof emptyFolder>>;
    let running: RunningRegistry;
    /** A new model for every test. */
    let model = "m0";
    let models = 0;
    /** Models whose content no other test has. */
    let addend = 1000;

    before(async function () {
      this.timeout(60_000);
      folder = await emptyFolder();
      running = await startRegistry(folder.path, await store.settings());
    });

    beforeEach(() => {
      model = `m${++models}`;
    });

    after(async () => {
      await running.stop();
      await folder.remove();
    });

    const create = async (...variants: object[]) =>
      running.registry.unary(
        "CreateVersion",
        { parent: `models/${model}`, version: { variants }, allowMissingModel: true },
        { timeoutMs: 10_000 },
      );
    const add = (variant: object, more: object = {}) =>
      running.registry.unary("AddVariant", { name: versionName(model, 1), variant, ...more }, { timeoutMs: 10_000 });
    const get = () => running.registry.unary("GetVersion", { name: versionName(model, 1) });
    const uploaded = async (bytes = addingModel(addend++)) => ({ artifact: await upload(running.registry, bytes) });

    it("come with a version or later, in order, each with what its owner says and what the registry sees", async () => {
      const made = await create(await uploaded(), { ...(await uploaded()), id: "int8", precision: "int8" });
      expect(made).to.include({ state: "VERSION_STATE_READY" });
      const said = {
        id: "gpu",
        precision: "fp16",
        executionProviders: ["cuda", "tensorrt"],
        quality: { difference: 0.5 },
      };
      const added = await add({ ...(await uploaded()), ...said });
      expect(added.variants.map(({ id, precision }) => `${id} ${precision}`)).to.deep.equal([
        "default fp32",
        "int8 int8",
        "gpu fp16",
      ]);
      expect(added.variants[2]).to.deep.include({ ...said, state: "VERSION_STATE_READY" });
      expect(new Set(added.variants.map(({ digest }) => digest)).size).to.equal(3);
      expect(added.variants.every(({ sizeBytes, memoryBytes }) => memoryBytes >= sizeBytes && sizeBytes > 0)).to.equal(
        true,
      );
      const { variants: _, etag, updateTime, ...same } = added;
      expect(made).to.deep.include(same);
      expect(etag).to.not.equal(made.etag);
      expect(updateTime).to.not.equal(null);
      expect(await get()).to.deep.equal(added);
    });

    it("are the same for the same id and the same files, and refused for others", async () => {
      const { artifact } = (await publish(running.registry, model, linearModel())).variants[0]!;
      const added = await add({ id: "again", artifact });
      expect(await add({ id: "again", artifact, precision: "int8" })).to.deep.equal(added);
      expect(await add({ id: "default", artifact })).to.deep.equal(added);
      const fault = await faultOf(add({ ...(await uploaded()), id: "again" }));
      expect(fault).to.include({ code: status.ALREADY_EXISTS, reason: "VARIANT_EXISTS" });
      expect(fault.message).to.contain("again");
    });

    it("have the signature of the first one, or are rejected with the difference; the version stays as it is", async () => {
      await create(await uploaded());
      const wider = rawModel({
        node: [node("Identity", ["x"], ["y"])],
        input: [tensor("x", "FP32", ["batch", 3])],
        output: [tensor("y", "FP32", ["batch", 3])],
      });
      const fault = await faultOf(add({ ...(await uploaded(wider)), id: "wide" }));
      expect(fault).to.include({ code: status.INVALID_ARGUMENT, reason: "ARTIFACT_INVALID" });
      expect(fault.message).to.contain("inputs have x as FP32 [batch, 3]; needed: FP32 [batch, 2]");
      expect(fault.metadata).to.deep.equal({ version: versionName(model, 1) });
      const version = await get();
      expect(version).to.include({ state: "VERSION_STATE_READY", stateReason: "" });
      expect(version.variants.map(({ state }) => state)).to.deep.equal([
        "VERSION_STATE_READY",
        "VERSION_STATE_REJECTED",
      ]);
      expect(await faultOf(add({ ...(await uploaded(wider)), id: "wide" }))).to.include({ reason: "ARTIFACT_INVALID" });
      expect(await faultOf(add({ ...(await uploaded(linearModel())), id: "linear" }))).to.include({
        reason: "ARTIFACT_INVALID",
      });
    });

    it("reject the version that they come with, and the reason names them", async () => {
      const broken = await uploaded(Buffer.from("not a model"));
      const fault = await faultOf(
        create(await uploaded(), { ...broken, id: "int8" }, { ...(await uploaded()), id: "c" }),
      );
      expect(fault.message).to.contain("variant int8: not an ONNX model");
      const version = await get();
      expect(version.state).to.equal("VERSION_STATE_REJECTED");
      expect(version.variants[1]!.stateReason).to.match(/^not an ONNX model/);
      expect(version.variants[2]).to.include({
        state: "VERSION_STATE_REJECTED",
        stateReason: "variant int8 is rejected",
      });
    });

    it("may wait for their artifacts, while the version is served", async () => {
      await create(await uploaded());
      const bytes = addingModel(addend++);
      const artifact = artifactName(sha256Of(bytes));
      expect(await faultOf(add({ id: "late", artifact }))).to.include({ reason: "ARTIFACT_NOT_FOUND" });
      const waiting = await add({ id: "late", artifact }, { allowMissingArtifacts: true });
      expect(waiting.state).to.equal("VERSION_STATE_READY");
      expect(waiting.variants[1]).to.include({ state: "VERSION_STATE_UPLOADING", sizeBytes: 0 });
      await upload(running.registry, bytes);
      const done = await add({ id: "late", artifact });
      expect(done.variants[1]).to.include({ state: "VERSION_STATE_READY", sizeBytes: bytes.length });
    });

    it("that wait for anything are given up with their version", async () => {
      await create(await uploaded());
      const artifact = artifactName(sha256Of(addingModel(addend++)));
      await add({ id: "late", artifact }, { allowMissingArtifacts: true });
      await running.registry.unary("DeprecateVersion", { name: versionName(model, 1) });
      const deleted = await running.registry.unary("DeleteVersion", { name: versionName(model, 1) });
      expect(deleted.variants.map(({ state, stateReason }) => `${state} ${stateReason}`.trim())).to.deep.equal([
        "VERSION_STATE_READY",
        "VERSION_STATE_REJECTED the version is deleted",
      ]);
    });

    it("are at most 16", async () => {
      const { artifact } = (await publish(running.registry, model, linearModel())).variants[0]!;
      for (let count = 1; count < 16; count++) await add({ id: `v${count}`, artifact });
      const fault = await faultOf(add({ id: "v16", artifact }));
      expect(fault).to.include({ code: status.INVALID_ARGUMENT, reason: "REQUEST_INVALID" });
      expect(fault.message).to.contain("16 variants");
    });

    it("are run on the sample that their version was run on", async () => {
      const signature = {
        input: [tensor("x"), tensor("i", "INT64", ["k"])],
        output: [tensor("y", "FP32", ["k", 2])],
      };
      const gather = (from: string) => node("Gather", [from, "i"], ["y"]);
      const plain = rawModel({ node: [gather("x")], ...signature });
      const doubled = rawModel({ node: [node("Add", ["x", "x"], ["z"]), gather("z")], ...signature });
      const contents = Buffer.from(new BigInt64Array([4n]).buffer);
      const inputs = [
        { name: "x", dataType: "FP32", shape: [5, 2], contents: Buffer.alloc(40) },
        { name: "i", dataType: "INT64", shape: [1], contents },
      ];
      await running.registry.unary(
        "CreateVersion",
        {
          parent: `models/${model}`,
          version: { variants: [await uploaded(plain)] },
          allowMissingModel: true,
          sample: { inputs },
        },
        { timeoutMs: 10_000 },
      );
      const added = await add({ ...(await uploaded(doubled)), id: "doubled" });
      expect(added.variants[1]!.state).to.equal("VERSION_STATE_READY");
    });

    it("of the same ONNX file with other weights are other content", async () => {
      const file = await uploaded(externalModel("w.bin"));
      const files = [];
      for (const weight of [1, 2]) {
        const { artifact } = await uploaded(Buffer.from(new Float32Array([weight, addend++]).buffer));
        files.push({ location: "w.bin", artifact });
      }
      const made = await create(
        { ...file, externalFiles: [files[0]] },
        { ...file, id: "other", externalFiles: [files[1]] },
      );
      expect(made.variants[0]!.digest).to.not.equal(made.variants[1]!.digest);
    });
  });
}
