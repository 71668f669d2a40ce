import { mkdir, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { status } from "@grpc/grpc-js";
import { expect } from "chai";
import { jobName } from "../../lib/resource-names.ts";
import { addingModel, linearModel, strangeModel } from "./onnx-files.ts";
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

describe("versions of the registry", () => {
  let folder: Awaited<ReturnType<typeof emptyFolder>>;
  let running: RunningRegistry;

  beforeEach(async () => {
    folder = await emptyFolder();
    running = await startRegistry(folder.path);
  });

  afterEach(async () => {
    await running.stop();
    await folder.remove();
  });

  const create = (request: object) =>
    running.registry.unary("CreateVersion", { parent: "models/m", allowMissingModel: true, ...request });
  const get = (name: string) => running.registry.unary("GetVersion", { name });

  it("know signature, parameters, size and operator set from the file, whatever the caller says", async () => {
    const bytes = linearModel();
    const artifact = await upload(running.registry, bytes);
    const said = { artifact, sizeBytes: 5, parameterCount: 5, opset: 5, name: "models/x/versions/9" };
    const made = await create({ version: said });
    expect(made).to.deep.include({ name: "models/m/versions/1", artifact, sizeBytes: bytes.length });
    expect(made).to.deep.include({ parameterCount: 15, opset: 18 });
    const spec = (name: string, width: number) => ({
      name,
      dataType: "FP32",
      shape: [
        { kind: "symbol", symbol: "batch" },
        { kind: "size", size: width },
      ],
    });
    expect(made.signature).to.deep.equal({ inputs: [spec("pixels", 4)], outputs: [spec("logits", 3)] });
    expect(await get(made.name)).to.deep.equal(made);
  });

  it("keep metrics and lineage", async () => {
    const artifact = await upload(running.registry, linearModel());
    const lineage = {
      job: jobName("abc123"),
      datasets: [noArtifact],
      seed: 0,
      hyperParameters: { "optimizer.learning_rate": "0.001" },
    };
    const metrics = { validation_accuracy: 0.97, loss: -0 };
    const made = await create({ version: { artifact, metrics, lineage } });
    const read = await get(made.name);
    expect(read.metrics).to.deep.equal({ validation_accuracy: 0.97, loss: 0 });
    expect(read.lineage).to.deep.include(lineage);
  });

  it("have no lineage where none was given", async () => {
    const made = await publish(running.registry, "m", linearModel());
    expect((await get(made.name)).lineage).to.equal(null);
  });

  it("are numbered from 1 without gaps or repeats, also when many are made at once", async () => {
    const artifact = await upload(running.registry, linearModel());
    const made = await Promise.all(Array.from({ length: 20 }, () => create({ version: { artifact } })));
    const numbers = made.map(({ name }) => Number(name.split("/")[3]));
    expect(numbers.sort((a, b) => a - b)).to.deep.equal(Array.from({ length: 20 }, (_, index) => index + 1));
  });

  it("are the same for the same request id, however often it is sent", async () => {
    const artifact = await upload(running.registry, linearModel());
    const request = { version: { artifact, metrics: { loss: 1 } }, requestId: "job-7" };
    const made = await Promise.all([create(request), create(request), create(request)]);
    expect(made.map(({ name }) => name)).to.deep.equal(Array(3).fill("models/m/versions/1"));
    expect(await create(request)).to.deep.equal(made[0]);
    expect((await create({ ...request, requestId: "job-8" })).name).to.equal("models/m/versions/2");
    expect((await create({ ...request, parent: "models/other" })).name).to.equal("models/other/versions/1");
  });

  it("are refused for a request id that made a version of another artifact", async () => {
    const [first, second] = [addingModel(1), addingModel(2)];
    await create({ version: { artifact: await upload(running.registry, first) }, requestId: "job-7" });
    const artifact = await upload(running.registry, second);
    const fault = await faultOf(create({ version: { artifact }, requestId: "job-7" }));
    expect(fault).to.include({ code: status.INVALID_ARGUMENT, reason: "REQUEST_INVALID" });
    expect(fault.message).to.contain("job-7").and.contain("models/m/versions/1");
  });

  it("need a model, unless the call may make it", async () => {
    const artifact = await upload(running.registry, linearModel());
    const fault = await faultOf(create({ version: { artifact }, allowMissingModel: false }));
    expect(fault).to.include({ code: status.NOT_FOUND, reason: "MODEL_NOT_FOUND" });
    await create({ version: { artifact } });
    expect((await create({ version: { artifact }, allowMissingModel: false })).name).to.equal("models/m/versions/2");
  });

  it("are refused for bytes that are not ONNX, with the reason, and no model is made", async () => {
    for (const bytes of [
      Buffer.from("not a model"),
      Buffer.alloc(0),
      Buffer.alloc(100),
      linearModel().subarray(0, 90),
    ]) {
      const artifact = await upload(running.registry, bytes);
      const fault = await faultOf(create({ version: { artifact } }));
      expect(fault).to.include({ code: status.INVALID_ARGUMENT, reason: "ARTIFACT_INVALID" });
      expect(fault.message).to.match(/not an ONNX model: ./);
    }
    expect((await running.registry.unary("ListModels", {})).models).to.deep.equal([]);
  });

  it("are refused for files whose numbers no model can have", async () => {
    for (const model of [
      { dims: [2 ** 40, 2 ** 40] },
      { dims: [2 ** 60] },
      { dims: [-1] },
      { opset: 2 ** 60 },
      { opset: 2 ** 31 },
      { opset: -1 },
    ]) {
      const artifact = await upload(running.registry, strangeModel(model));
      const fault = await faultOf(create({ version: { artifact } }));
      expect(fault, JSON.stringify(model)).to.include({ code: status.INVALID_ARGUMENT, reason: "ARTIFACT_INVALID" });
    }
  });

  it("are refused for an artifact that nobody uploaded", async () => {
    const fault = await faultOf(create({ version: { artifact: noArtifact } }));
    expect(fault).to.include({ code: status.NOT_FOUND, reason: "ARTIFACT_NOT_FOUND" });
    expect(fault.message).to.contain(noArtifact);
  });

  it("are refused where the file is gone from the disk", async () => {
    const artifact = await upload(running.registry, linearModel());
    await rm(join(folder.path, "registry", "artifacts"), { recursive: true });
    const fault = await faultOf(create({ version: { artifact } }));
    expect(fault).to.include({ code: status.DATA_LOSS, reason: "ARTIFACT_CORRUPT" });
  });

  it("are refused where the disk changed the file, until it is uploaded again", async () => {
    const bytes = linearModel();
    const artifact = await upload(running.registry, bytes);
    const sha256 = artifact.slice("artifacts/".length);
    const path = join(folder.path, "registry", "artifacts", sha256.slice(0, 2), sha256);
    await writeFile(path, Buffer.alloc(bytes.length));
    const fault = await faultOf(create({ version: { artifact } }));
    expect(fault).to.include({ code: status.DATA_LOSS, reason: "ARTIFACT_CORRUPT" });
    await upload(running.registry, bytes);
    expect(await create({ version: { artifact } })).to.include({ artifact });
  });

  it("are refused without blame of the file where the registry cannot open it", async () => {
    const artifact = await upload(running.registry, linearModel());
    const sha256 = artifact.slice("artifacts/".length);
    const path = join(folder.path, "registry", "artifacts", sha256.slice(0, 2), sha256);
    await rm(path);
    await mkdir(path);
    const fault = await faultOf(create({ version: { artifact } }));
    expect(fault).to.include({ code: status.INTERNAL, reason: "INTERNAL" });
  });

  it("are refused for malformed requests, each with the field, and the next call works", async () => {
    const artifact = await upload(running.registry, linearModel());
    const pairs = Object.fromEntries(Array.from({ length: 2000 }, (_, index) => [`key${index}`, 1]));
    const refused: [string, object][] = [
      ["parent", { parent: "models/", version: { artifact } }],
      ["parent", { parent: "m", version: { artifact } }],
      ["version.artifact", { version: {} }],
      ["version.artifact", {}],
      ["version.artifact", { version: { artifact: "artifacts/abc" } }],
      ["request_id", { version: { artifact }, requestId: "x".repeat(129) }],
      ["request_id", { version: { artifact }, requestId: "a\u0000b" }],
      ["version.metrics", { version: { artifact, metrics: { loss: Number.NaN } } }],
      ["version.metrics", { version: { artifact, metrics: { loss: Number.POSITIVE_INFINITY } } }],
      ["version.metrics", { version: { artifact, metrics: pairs } }],
      ["version.lineage.job", { version: { artifact, lineage: { job: "job" } } }],
      ["version.lineage.datasets", { version: { artifact, lineage: { datasets: ["digits.csv"] } } }],
    ];
    for (const [field, request] of refused) {
      const fault = await faultOf(create(request));
      expect(fault, JSON.stringify(request).slice(0, 200)).to.include({ reason: "REQUEST_INVALID" });
      expect(fault.metadata.field).to.match(new RegExp(`^${field}`));
    }
    expect((await create({ version: { artifact } })).name).to.equal("models/m/versions/1");
  });

  it("are read by number and by alias", async () => {
    await publish(running.registry, "m", addingModel(1));
    await publish(running.registry, "m", addingModel(2));
    await point(running.registry, "m", "default", 1);
    expect((await get("models/m/versions/2")).name).to.equal("models/m/versions/2");
    expect((await get("models/m/versions/default")).name).to.equal("models/m/versions/1");
  });

  it("are not found by an unknown number or alias, with what exists", async () => {
    await publish(running.registry, "m", addingModel(1));
    await point(running.registry, "m", "default", 1);
    const byNumber = await faultOf(get("models/m/versions/7"));
    expect(byNumber).to.include({ code: status.NOT_FOUND, reason: "VERSION_NOT_FOUND" });
    expect(byNumber.message).to.contain("versions/7").and.match(/\b1\b/).and.contain("default");
    const byAlias = await faultOf(get("models/m/versions/canary"));
    expect(byAlias).to.include({ code: status.NOT_FOUND, reason: "ALIAS_NOT_FOUND" });
    expect(byAlias.message).to.contain("canary").and.contain("default");
    expect(await faultOf(get("models/none/versions/1"))).to.include({ reason: "MODEL_NOT_FOUND" });
  });

  it("are refused under numbers that are none", async () => {
    for (const number of ["0", "01", "-1", "1.5", "99999999999999999999"]) {
      expect(await faultOf(get(`models/m/versions/${number}`)), number).to.include({ reason: "REQUEST_INVALID" });
    }
  });

  it("are listed newest first, page by page, each once", async () => {
    const artifact = await upload(running.registry, linearModel());
    for (let count = 0; count < 12; count++) await create({ version: { artifact } });
    const seen: string[] = [];
    let pageToken = "";
    do {
      const page = await running.registry.unary("ListVersions", { parent: "models/m", pageSize: 5, pageToken });
      seen.push(...page.versions.map(({ name }) => name));
      pageToken = page.nextPageToken;
    } while (pageToken !== "");
    expect(seen).to.deep.equal(Array.from({ length: 12 }, (_, index) => `models/m/versions/${12 - index}`));
  });

  it("are listed as none for a model without any, and not found for one that is none", async () => {
    await running.registry.unary("CreateModel", { modelId: "m" });
    const list = (parent: string) => running.registry.unary("ListVersions", { parent });
    expect(await list("models/m")).to.deep.equal({ versions: [], nextPageToken: "" });
    expect(await faultOf(list("models/none"))).to.include({ reason: "MODEL_NOT_FOUND" });
  });

  it("are not listed with the page token of another list", async () => {
    await running.registry.unary("CreateModel", { modelId: "a" });
    await running.registry.unary("CreateModel", { modelId: "b" });
    const { nextPageToken: pageToken } = await running.registry.unary("ListModels", { pageSize: 1 });
    const fault = await faultOf(running.registry.unary("ListVersions", { parent: "models/a", pageToken }));
    expect(fault).to.include({ code: status.INVALID_ARGUMENT, reason: "REQUEST_INVALID" });
  });
});
