import { status } from "@grpc/grpc-js";
import { expect } from "chai";
import { jobName } from "../../lib/resource-names.ts";
import { catalogueStores } from "./catalogue-stores.ts";
import { addingModel, linearModel } from "./onnx-files.ts";
import {
  emptyFolder,
  faultOf,
  noArtifact,
  point,
  publish,
  type RunningRegistry,
  startRegistry,
  upload,
} from "./running-registry.ts";

for (const store of catalogueStores) {
  describe(`versions of the registry (${store.name})`, () => {
    let folder: Awaited<ReturnType<typeof emptyFolder>>;
    let running: RunningRegistry;
    /** A new model for every test. */
    let parent = "models/m0";
    let models = 0;

    before(async function () {
      this.timeout(60_000);
      folder = await emptyFolder();
      running = await startRegistry(folder.path, await store.settings());
    });

    beforeEach(() => {
      parent = `models/m${++models}`;
    });

    after(async () => {
      await running.stop();
      await folder.remove();
    });

    const create = (request: object) =>
      running.registry.unary("CreateVersion", { parent, allowMissingModel: true, ...request }, { timeoutMs: 10_000 });
    const get = (name: string) => running.registry.unary("GetVersion", { name });
    const list = (request: object) => running.registry.unary("ListVersions", { parent, ...request });
    const linear = async (more: object = {}) => ({
      variants: [{ artifact: await upload(running.registry, linearModel()) }],
      ...more,
    });

    it("know signature, parameters, size, operators and operator sets from the file, whatever the caller says", async () => {
      const bytes = linearModel();
      const artifact = await upload(running.registry, bytes);
      const said = { sizeBytes: 5, parameterCount: 5, opsets: { x: 1 }, name: "models/x/versions/9", etag: "e" };
      const variant = { artifact, sizeBytes: 5, memoryBytes: 5, digest: "d", state: "VERSION_STATE_REJECTED" };
      const made = await create({ version: { ...said, variants: [variant] } });
      expect(made).to.deep.include({
        name: `${parent}/versions/1`,
        state: "VERSION_STATE_READY",
        sizeBytes: bytes.length,
      });
      expect(made).to.deep.include({ parameterCount: 15, opsets: { "ai.onnx": 18 }, operators: { Gemm: 1 } });
      const spec = (name: string, width: number) => ({
        name,
        dataType: "FP32",
        shape: [
          { kind: "symbol", symbol: "batch" },
          { kind: "size", size: width },
        ],
        optional: false,
      });
      expect(made.signature).to.deep.equal({ inputs: [spec("pixels", 4)], outputs: [spec("logits", 3)] });
      const [primary] = made.variants;
      expect(primary).to.include({ id: "default", precision: "fp32", artifact, sizeBytes: bytes.length });
      expect(primary).to.include({ state: "VERSION_STATE_READY" });
      expect(primary!.memoryBytes).to.be.at.least(bytes.length);
      expect(await get(made.name)).to.deep.equal(made);
    });

    it("keep metrics, tags, metadata, model card and lineage", async () => {
      await create({ version: await linear() });
      const lineage = {
        parentVersion: `${parent}/versions/1`,
        job: jobName("abc123"),
        datasets: [noArtifact],
        code: { repository: "https://example.org/r.git", revision: "abc", path: "train.ts" },
        seed: 0,
        hyperParameters: { "optimizer.learning_rate": "0.001" },
      };
      const metrics = { validation_accuracy: 0.97, loss: -0 };
      const said = { tags: { stage: "new" }, metadata: { note: "n".repeat(65_536) }, modelCard: "# Card" };
      const { name } = await create({ version: await linear({ metrics, lineage, ...said }) });
      const read = await get(name);
      expect(read).to.deep.include({ ...said, metrics: { validation_accuracy: 0.97, loss: 0 } });
      expect(read.lineage).to.deep.include(lineage);
    });

    it("have no lineage where none was given, and no seed where none was", async () => {
      expect((await create({ version: await linear() })).lineage).to.equal(null);
      const { lineage } = await create({ version: await linear({ lineage: { job: "jobs/a" } }) });
      expect(lineage).to.not.have.property("_seed");
    });

    it("are numbered from 1 without gaps or repeats, also when many are made at once", async () => {
      const version = await linear();
      const made = await Promise.all(Array.from({ length: 20 }, () => create({ version })));
      const numbers = made.map(({ name }) => Number(name.split("/")[3]));
      expect(numbers.sort((a, b) => a - b)).to.deep.equal(Array.from({ length: 20 }, (_, index) => index + 1));
    });

    it("are the same for the same request id, however often it is sent", async () => {
      const request = { version: await linear({ metrics: { loss: 1 } }), requestId: "job-7" };
      const made = await Promise.all([create(request), create(request), create(request)]);
      expect(made.map(({ name }) => name)).to.deep.equal(Array(3).fill(`${parent}/versions/1`));
      expect(await create(request)).to.deep.equal(made[0]);
      expect((await create({ ...request, requestId: "job-8" })).name).to.equal(`${parent}/versions/2`);
      const other = `${parent}-other`;
      expect((await create({ ...request, parent: other })).name).to.equal(`${other}/versions/1`);
    });

    it("are refused for a request id that made a version of other artifacts", async () => {
      const [first, second] = [addingModel(1), addingModel(2)];
      const variant = { artifact: await upload(running.registry, first) };
      await create({ version: { variants: [variant] }, requestId: "job-7" });
      for (const variants of [
        [{ artifact: await upload(running.registry, second) }],
        [variant, { ...variant, id: "more" }],
      ]) {
        const fault = await faultOf(create({ version: { variants }, requestId: "job-7" }));
        expect(fault).to.include({ code: status.INVALID_ARGUMENT, reason: "REQUEST_INVALID" });
        expect(fault.metadata).to.deep.equal({ field: "request_id", version: `${parent}/versions/1` });
        expect(fault.message).to.contain("job-7").and.contain(`${parent}/versions/1`);
      }
    });

    it("that are rejected say so again for the same request id, and stay", async () => {
      const artifact = await upload(running.registry, Buffer.from("not a model"));
      const request = { version: { variants: [{ artifact }] }, requestId: "job-9" };
      const first = await faultOf(create(request));
      expect(first).to.include({ code: status.INVALID_ARGUMENT, reason: "ARTIFACT_INVALID" });
      expect(first.metadata).to.deep.equal({ version: `${parent}/versions/1` });
      expect(await faultOf(create(request))).to.deep.equal(first);
      expect(await get(`${parent}/versions/1`)).to.include({ state: "VERSION_STATE_REJECTED", signature: null });
      expect((await list({})).versions).to.have.length(1);
    });

    it("need a model, unless the call may make it, and one that is not deleted", async () => {
      const version = await linear();
      const fault = await faultOf(create({ version, allowMissingModel: false }));
      expect(fault).to.include({ code: status.NOT_FOUND, reason: "MODEL_NOT_FOUND" });
      await create({ version });
      expect((await create({ version, allowMissingModel: false })).name).to.equal(`${parent}/versions/2`);
      await running.registry.unary("DeleteModel", { name: parent });
      const gone = await faultOf(create({ version }));
      expect(gone).to.include({ code: status.FAILED_PRECONDITION, reason: "MODEL_DELETED" });
      expect(gone.message).to.contain("UndeleteModel");
      expect(await get(`${parent}/versions/1`)).to.include({ state: "VERSION_STATE_READY" });
    });

    it("are refused for an artifact that nobody uploaded, and no model is made", async () => {
      const fault = await faultOf(create({ version: { variants: [{ artifact: noArtifact }] } }));
      expect(fault).to.include({ code: status.NOT_FOUND, reason: "ARTIFACT_NOT_FOUND" });
      expect(fault.message).to.contain(noArtifact);
      expect(await faultOf(list({}))).to.include({ reason: "MODEL_NOT_FOUND" });
    });

    it("are refused where the version that they come from is not there", async () => {
      const lineage = { parentVersion: `${parent}/versions/7` };
      const fault = await faultOf(create({ version: await linear({ lineage }) }));
      expect(fault).to.include({ code: status.NOT_FOUND, reason: "VERSION_NOT_FOUND" });
      expect(fault.message).to.contain("version.lineage.parent_version").and.contain(lineage.parentVersion);
    });

    it("are read by number and by alias, which means its heaviest target", async () => {
      const model = parent.slice("models/".length);
      for (const addend of [1, 2, 3]) await publish(running.registry, model, addingModel(addend));
      await point(running.registry, model, "default", 1);
      expect((await get(`${parent}/versions/2`)).name).to.equal(`${parent}/versions/2`);
      expect((await get(`${parent}/versions/default`)).name).to.equal(`${parent}/versions/1`);
      const targets = [
        { version: 1, weight: 1 },
        { version: 3, weight: 5 },
        { version: 2, weight: 5 },
      ];
      const alias = { name: `${parent}/aliases/default`, targets };
      await running.registry.unary("UpdateAlias", { alias });
      expect((await get(`${parent}/versions/default`)).name).to.equal(`${parent}/versions/3`);
    });

    it("are not found by an unknown number or alias, with what exists", async () => {
      const model = parent.slice("models/".length);
      await publish(running.registry, model, addingModel(1));
      await point(running.registry, model, "default", 1);
      const byNumber = await faultOf(get(`${parent}/versions/7`));
      expect(byNumber).to.include({ code: status.NOT_FOUND, reason: "VERSION_NOT_FOUND" });
      expect(byNumber.message).to.contain("versions/7").and.match(/\b1\b/).and.contain("default");
      const byAlias = await faultOf(get(`${parent}/versions/canary`));
      expect(byAlias).to.include({ code: status.NOT_FOUND, reason: "ALIAS_NOT_FOUND" });
      expect(byAlias.message).to.contain("canary").and.contain("default");
      expect(await faultOf(get("models/none/versions/1"))).to.include({ reason: "MODEL_NOT_FOUND" });
    });

    it("are refused under numbers that are none", async () => {
      for (const number of ["0", "01", "-1", "1.5", "99999999999999999999"]) {
        expect(await faultOf(get(`${parent}/versions/${number}`)), number).to.include({ reason: "REQUEST_INVALID" });
      }
    });

    it("are listed newest first, page by page, each once, without model cards", async () => {
      const version = await linear({ modelCard: "# Card" });
      for (let count = 0; count < 12; count++) await create({ version });
      const seen: string[] = [];
      let pageToken = "";
      do {
        const page = await list({ pageSize: 5, pageToken });
        expect(page.versions.map(({ modelCard }) => modelCard)).to.deep.equal(Array(page.versions.length).fill(""));
        expect(page.versions.map(({ variants }) => variants.length)).to.deep.equal(Array(page.versions.length).fill(1));
        seen.push(...page.versions.map(({ name }) => name));
        pageToken = page.nextPageToken;
      } while (pageToken !== "");
      expect(seen).to.deep.equal(Array.from({ length: 12 }, (_, index) => `${parent}/versions/${12 - index}`));
    });

    it("are listed by tags and states", async () => {
      for (const [index, tags] of [{ a: "1", b: "x" }, { a: "2", b: "x" }, { a: "1" }].entries()) {
        await create({ version: await linear({ tags }), requestId: `r${index}` });
      }
      await running.registry.unary("DeprecateVersion", { name: `${parent}/versions/2` });
      const numbers = async (request: object) =>
        (await list(request)).versions.map(({ name }) => Number(name.split("/")[3]));
      expect(await numbers({ tags: { a: "1" } })).to.deep.equal([3, 1]);
      expect(await numbers({ tags: { a: "", b: "x" } })).to.deep.equal([2, 1]);
      expect(await numbers({ tags: { a: "3" } })).to.deep.equal([]);
      for (const count of [1, 64]) {
        expect(await numbers({ states: Array(count).fill("VERSION_STATE_DEPRECATED") })).to.deep.equal([2]);
      }
      expect(await numbers({ states: ["VERSION_STATE_READY"], tags: { b: "" } })).to.deep.equal([1]);
      const { nextPageToken: pageToken } = await list({ pageSize: 1, tags: { a: "1" } });
      expect(await numbers({ pageSize: 1, tags: { a: "1" }, pageToken })).to.deep.equal([1]);
      for (const other of [{}, { tags: { a: "2" } }, { tags: { a: "1" }, states: ["VERSION_STATE_READY"] }]) {
        expect(await faultOf(list({ ...other, pageToken }))).to.include({ reason: "REQUEST_INVALID" });
      }
      expect(await faultOf(list({ states: ["VERSION_STATE_UNSPECIFIED"] }))).to.include({ reason: "REQUEST_INVALID" });
    });

    it("are listed as none for a model without any, and not found for one that is none", async () => {
      await running.registry.unary("CreateModel", { modelId: parent.slice("models/".length) });
      expect(await list({})).to.deep.equal({ versions: [], nextPageToken: "" });
      expect(await faultOf(list({ parent: "models/none" }))).to.include({ reason: "MODEL_NOT_FOUND" });
    });
  });
}
