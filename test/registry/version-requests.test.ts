import { status } from "@grpc/grpc-js";
import { expect } from "chai";
import { linearModel } from "./onnx-files.ts";
import { emptyFolder, faultOf, noArtifact, type RunningRegistry, startRegistry, upload } from "./running-registry.ts";

describe("malformed requests about versions", () => {
  let folder: Awaited<ReturnType<typeof emptyFolder>>;
  let running: RunningRegistry;
  let artifact: string;

  before(async () => {
    folder = await emptyFolder();
    running = await startRegistry(folder.path);
    artifact = await upload(running.registry, linearModel());
  });

  after(async () => {
    await running.stop();
    await folder.remove();
  });

  const many = <Value>(count: number, value: Value) =>
    Object.fromEntries(Array.from({ length: count }, (_, index) => [`key${index}`, value]));

  it("to make one are refused with the field, and the next call works", async () => {
    const create = (request: object) =>
      running.registry.unary("CreateVersion", { parent: "models/m", allowMissingModel: true, ...request });
    const variant = { artifact };
    const version = (more: object) => ({ version: { variants: [variant], ...more } });
    const variants = (...list: object[]) => ({ version: { variants: list } });
    const files = (...externalFiles: object[]) => variants({ artifact, externalFiles });
    const lineage = (more: object) => version({ lineage: more });
    const sample = (...inputs: object[]) => ({ ...version({}), sample: { inputs } });
    const long = "x".repeat(65_537);
    const refused: [string, object][] = [
      ["parent", { ...version({}), parent: "models/" }],
      ["parent", { ...version({}), parent: "m" }],
      ["version.variants", {}],
      ["version.variants", version({ variants: [] })],
      ["version.variants", variants(...Array.from({ length: 17 }, (_, index) => ({ artifact, id: `v${index}` })))],
      ["version.variants\\[0\\].artifact", variants({})],
      ["version.variants\\[0\\].artifact", variants({ artifact: "artifacts/abc" })],
      ["version.variants\\[1\\].id", variants(variant, variant)],
      ["version.variants\\[0\\].id", variants({ artifact, id: "Not An Id" })],
      ["version.variants\\[1\\].id", variants({ artifact, id: "a" }, { artifact, id: "a" })],
      ["version.variants\\[0\\].precision", variants({ artifact, precision: long })],
      [
        "version.variants\\[0\\].execution_providers\\[1\\]",
        variants({ artifact, executionProviders: ["cpu", "cpu"] }),
      ],
      ["version.variants\\[0\\].execution_providers\\[0\\]", variants({ artifact, executionProviders: [""] })],
      ["version.variants\\[0\\].quality", variants({ artifact, quality: { "": 1 } })],
      ["version.variants\\[0\\].quality", variants({ artifact, quality: many(65, 1) })],
      ["version.variants\\[0\\].quality", variants({ artifact, quality: { a: Number.NaN } })],
      ...["", "/etc/passwd", "../w", "a/../w", "./w", "a\\w", "c:w", "a//w", "x".repeat(256)].map(
        (location): [string, object] => [
          "version.variants\\[0\\].external_files\\[0\\].location",
          files({ location, artifact }),
        ],
      ),
      ["version.variants\\[0\\].external_files\\[1\\].artifact", files({ location: "v", artifact }, { location: "w" })],
      [
        "version.variants\\[0\\].external_files\\[1\\].location",
        files({ location: "w", artifact }, { location: "w", artifact: noArtifact }),
      ],
      [
        "version.variants\\[0\\].external_files$",
        files(...Array.from({ length: 1000 }, (_, index) => ({ location: `${"w".repeat(130)}${index}`, artifact }))),
      ],
      [
        "version.variants\\[0\\].external_files\\[1\\].location",
        files({ location: "a/b", artifact }, { location: "a", artifact }),
      ],
      [
        "version.variants\\[0\\].external_files",
        files(...Array.from({ length: 1025 }, (_, index) => ({ location: `w${index}`, artifact }))),
      ],
      ["request_id", { ...version({}), requestId: "x".repeat(129) }],
      ["request_id", { ...version({}), requestId: "a\u0000b" }],
      ["version.metrics", version({ metrics: { loss: Number.NaN } })],
      ["version.metrics", version({ metrics: { loss: Number.POSITIVE_INFINITY } })],
      ["version.metrics", version({ metrics: many(257, 1) })],
      ["version.metrics", version({ metrics: { "": 1 } })],
      ["version.tags", version({ tags: many(65, "v") })],
      ["version.tags", version({ tags: { a: "x".repeat(1025) } })],
      ["a key of version.tags", version({ tags: { ["x".repeat(129)]: "a" } })],
      ["version.metadata", version({ metadata: many(257, "v") })],
      ["version.metadata", version({ metadata: { a: long } })],
      ["version.metadata$", version({ metadata: many(17, "x".repeat(65_536)) })],
      ["version.metadata$", version({ metadata: many(9, "é".repeat(65_536)) })],
      ["version.model_card", version({ modelCard: "x".repeat(262_145) })],
      ["version.lineage.parent_version", lineage({ parentVersion: "models/m/versions/default" })],
      ["version.lineage.job", lineage({ job: "job" })],
      ["version.lineage.datasets", lineage({ datasets: ["digits.csv"] })],
      ["version.lineage.datasets", lineage({ datasets: Array(257).fill(noArtifact) })],
      ["version.lineage.code.revision", lineage({ code: { revision: "x".repeat(257) } })],
      ["version.lineage.code.repository", lineage({ code: { repository: "x".repeat(1025) } })],
      ["version.lineage.code.path", lineage({ code: { path: "x".repeat(1025) } })],
      ["version.lineage.hyper_parameters", lineage({ hyperParameters: many(257, "v") })],
      ["version.lineage.hyper_parameters$", lineage({ hyperParameters: many(17, "x".repeat(65_536)) })],
      ["version.lineage.seed", lineage({ seed: 2 ** 53 })],
      [
        "sample.inputs\\[0\\].data_type",
        sample({ name: "x", dataType: "FLOAT", shape: [1], contents: Buffer.alloc(4) }),
      ],
      ["sample.inputs\\[0\\].shape", sample({ name: "x", dataType: "FP32", shape: [-1], contents: Buffer.alloc(4) })],
      ["sample.inputs\\[0\\].contents", sample({ name: "x", dataType: "FP32", shape: [2], contents: Buffer.alloc(4) })],
      [
        "sample.inputs\\[0\\].contents",
        sample({ name: "x", dataType: "BYTES", shape: [1], contents: Buffer.alloc(5) }),
      ],
      ["sample", sample({ name: "x", dataType: "INT8", shape: [2 ** 22 + 1], contents: Buffer.alloc(2 ** 22 + 1) })],
      ["sample.inputs", sample(...Array(2).fill({ name: "x", dataType: "INT8", shape: [0] }))],
    ];
    for (const [field, request] of refused) {
      const fault = await faultOf(create(request));
      const what = `${field}: ${fault.message}`;
      expect(fault, what).to.include({ code: status.INVALID_ARGUMENT, reason: "REQUEST_INVALID" });
      expect(fault.metadata.field, what).to.match(new RegExp(`^(a (key|name) of )?${field}`));
    }
    expect(await faultOf(running.registry.unary("GetModel", { name: "models/m" }))).to.include({
      code: status.NOT_FOUND,
    });
    expect((await create(version({}))).name).to.equal("models/m/versions/1");
  });

  it("to change one are refused with the field", async () => {
    const name = "models/m/versions/1";
    const states = (count: number, state: number | string) => ({
      parent: "models/m",
      states: Array(count).fill(state),
    });
    const calls = [
      ["name", running.registry.unary("UpdateVersion", { name: "models/m/versions/default" })],
      ["tags", running.registry.unary("UpdateVersion", { name, tags: many(65, "v") })],
      ["reason", running.registry.unary("DeprecateVersion", { name, reason: "x".repeat(1025) })],
      ["reason", running.registry.unary("DeleteVersion", { name, reason: "x".repeat(1025) })],
      ["variant", running.registry.unary("AddVariant", { name })],
      ["variant.id", running.registry.unary("AddVariant", { name, variant: { artifact } })],
      ["tags", running.registry.unary("ListVersions", { parent: "models/m", tags: many(9, "v") })],
      ["states", running.registry.unary("ListVersions", states(40_000, 3))],
      ["states", running.registry.unary("ListVersions", states(1, 0))],
      ["states", running.registry.unary("ListVersions", states(1, 99))],
      ["page_size", running.registry.unary("ListVersions", { parent: "models/m", pageSize: 1001 })],
    ] as const;
    const faults = await Promise.all(calls.map(([, call]) => faultOf(call)));
    for (const [index, fault] of faults.entries()) {
      const [field] = calls[index]!;
      expect(fault, field).to.include({ reason: "REQUEST_INVALID" });
      expect(fault.metadata.field).to.equal(field);
    }
    const fault = await faultOf(running.registry.unary("ListVersions", states(1, 0)));
    expect(fault.message).to.contain("VERSION_STATE_UNSPECIFIED").and.contain("VERSION_STATE_READY");
  });

  it("beyond what a number can say exactly are refused without a number that nobody sent", async () => {
    const name = "models/m/aliases/a";
    const fault = await faultOf(running.registry.unary("RollbackAlias", { name, revision: 2 ** 60 }));
    expect(fault.message).to.contain("revision is above 9007199254740991").and.contain("at most 9007199254740991");
  });
});
