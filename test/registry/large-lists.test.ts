import { expect } from "chai";
import { encodeMessage } from "../../lib/rpc/protos.ts";
import { describeOnEachStore } from "./each-store.ts";
import { linearModel } from "./onnx-files.ts";
import { point, upload } from "./running-registry.ts";

/** What clients of gRPC take where they are not told otherwise. */
const messageBytesMax = 4 * 1024 ** 2;

describeOnEachStore("a list of large entries", (own) => {
  /** The names of all entries, as many a page as there is room for, and how many entries each page had. */
  async function listed(method: "ListModels" | "ListVersions", request: object) {
    const [names, counts]: [string[], number[]] = [[], []];
    for (let pageToken = ""; ; ) {
      const page = await own.running.registry.unary(method as "ListVersions", {
        ...request,
        pageSize: 1000,
        pageToken,
      });
      const bytes = encodeMessage("registry", `amaas.registry.v1.${method}Response`, page).length;
      const entries = page.versions ?? (page as unknown as { models: { name: string }[] }).models;
      expect(bytes).to.be.below(messageBytesMax);
      names.push(...entries.map(({ name }) => name));
      counts.push(entries.length);
      if (page.nextPageToken === "") return { names, counts };
      pageToken = page.nextPageToken;
    }
  }

  it("has fewer versions on a page, and still all of them in the end", async function () {
    this.timeout(120_000);
    const artifact = await upload(own.running.registry, linearModel());
    // 1 MiB, the most that there may be.
    const metadata = Object.fromEntries(
      Array.from({ length: 16 }, (_, index) => [`k${10 + index}`, "x".repeat(65_533)]),
    );
    for (let count = 0; count < 5; count++) {
      const version = { variants: [{ artifact }], metadata, modelCard: "x".repeat(200_000) };
      const request = { parent: "models/m", version, allowMissingModel: true };
      await own.running.registry.unary("CreateVersion", request, { timeoutMs: 10_000 });
    }
    const { names, counts } = await listed("ListVersions", { parent: "models/m" });
    expect(names).to.deep.equal([5, 4, 3, 2, 1].map((number) => `models/m/versions/${number}`));
    expect(counts).to.deep.equal([1, 1, 1, 1, 1]);
    const changes = await own.running.registry.unary("ListChanges", { pageSize: 1000, kind: "RESOURCE_KIND_VERSION" });
    expect(changes.changes.length).to.be.within(1, 2);
  });

  it("has fewer models on a page, and still all of them in the end", async () => {
    const ids = Array.from({ length: 100 }, (_, index) => `m${100 + index}`);
    const model = { description: "é".repeat(16_384), tags: { a: "1" } };
    for (const modelId of ids) await own.running.registry.unary("CreateModel", { modelId, model });
    for (const filters of [{}, { tags: { a: "1" } }]) {
      const { names, counts } = await listed("ListModels", filters);
      expect(names).to.deep.equal(ids.map((id) => `models/${id}`));
      expect(counts).to.deep.equal([63, 37]);
    }
  });
});

describeOnEachStore("an alias of versions with much metadata", (own) => {
  it("is resolved without model cards, metadata and lineage, which each version has", async () => {
    const artifact = await upload(own.running.registry, linearModel());
    const version = {
      variants: [{ artifact }],
      metadata: { a: "b" },
      modelCard: "# m",
      tags: { c: "d" },
      lineage: { hyperParameters: { rate: "1" } },
    };
    const request = { parent: "models/m", version, allowMissingModel: true };
    const made = await own.running.registry.unary("CreateVersion", request, { timeoutMs: 10_000 });
    await point(own.running.registry, "m", "default", 1);
    const { targets } = await own.running.registry.unary("ResolveAlias", { name: "models/m/aliases/default" });
    expect(targets).to.deep.equal([{ ...made, modelCard: "", metadata: {}, lineage: null }]);
    const read = await own.running.registry.unary("GetVersion", { name: "models/m/versions/default" });
    expect(read).to.deep.equal(made);
  });
});
