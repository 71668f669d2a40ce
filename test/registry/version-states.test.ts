import { status } from "@grpc/grpc-js";
import { expect } from "chai";
import { artifactName, versionName } from "../../lib/resource-names.ts";
import { catalogueStores } from "./catalogue-stores.ts";
import { ConnectedNode } from "./connected-node.ts";
import { addingModel, linearModel } from "./onnx-files.ts";
import { externalModel } from "./raw-models.ts";
import { RouteWatcher } from "./route-watcher.ts";
import {
  emptyFolder,
  faultOf,
  point,
  publish,
  type RunningRegistry,
  sha256Of,
  startRegistry,
  upload,
} from "./running-registry.ts";

for (const store of catalogueStores) {
  describe(`states of versions (${store.name})`, () => {
    let folder: Awaited<ReturnType<typeof emptyFolder>>;
    let running: RunningRegistry;
    /** A new model for every test. */
    let model = "m0";
    let models = 0;
    /** Models whose content no other test has. */
    let addend = 100;

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

    const call = (request: object) =>
      running.registry.unary(
        "CreateVersion",
        { parent: `models/${model}`, allowMissingModel: true, ...request },
        { timeoutMs: 10_000 },
      );
    const get = (number: number) => running.registry.unary("GetVersion", { name: versionName(model, number) });
    const ready = async () => (await publish(running.registry, model, linearModel())).name;
    const rejected = async () =>
      (await faultOf(publish(running.registry, model, Buffer.from("not a model")))).metadata.version!;
    const deprecate = (name: string, more: object = {}) =>
      running.registry.unary("DeprecateVersion", { name, reason: "use 2", ...more });
    const remove = (name: string, more: object = {}) =>
      running.registry.unary("DeleteVersion", { name, reason: "old", ...more });
    const nameOf = (bytes: Uint8Array) => artifactName(sha256Of(bytes));

    it("begin with UPLOADING where artifacts are missing, and go on when the last one arrives", async () => {
      const weights = Buffer.from(new Float32Array([1, addend++]).buffer);
      const bytes = externalModel("w.bin");
      const files = [{ location: "w.bin", artifact: nameOf(weights) }];
      const version = { variants: [{ artifact: nameOf(bytes), externalFiles: files }] };
      const request = { version, requestId: "r", allowMissingArtifacts: true };
      const made = await call(request);
      expect(made).to.deep.include({ state: "VERSION_STATE_UPLOADING", signature: null, sizeBytes: 0 });
      expect(made.stateReason).to.equal(`missing: ${nameOf(bytes)}, ${nameOf(weights)}`);
      await upload(running.registry, bytes);
      expect((await get(1)).stateReason).to.equal(`missing: ${nameOf(weights)}`);
      expect(await call(request)).to.include({ state: "VERSION_STATE_UPLOADING" });
      await upload(running.registry, weights);
      const done = await call(request);
      expect(done).to.include({ name: made.name, state: "VERSION_STATE_READY", stateReason: "" });
      expect(done).to.include({ sizeBytes: bytes.length + weights.length, parameterCount: 2 });
      expect(done.variants[0]).to.include({ state: "VERSION_STATE_READY", sizeBytes: done.sizeBytes });
    });

    it("that wait for the same files all become READY when the last one arrives, whichever it is", async () => {
      const weights = Buffer.from(new Float32Array([2, addend++]).buffer);
      const bytes = externalModel("w.bin");
      const variant = { artifact: nameOf(bytes), externalFiles: [{ location: "w.bin", artifact: nameOf(weights) }] };
      await upload(running.registry, bytes);
      const requests = [1, 2, 3].map((number) => ({
        version: { variants: [variant] },
        requestId: `r${number}`,
        allowMissingArtifacts: true,
      }));
      for (const request of requests) expect(await call(request)).to.include({ state: "VERSION_STATE_UPLOADING" });
      await upload(running.registry, weights);
      // Whoever asks again waits for the outcome.
      const ended = await Promise.all(requests.map(call));
      expect(ended.map(({ state }) => state)).to.deep.equal(requests.map(() => "VERSION_STATE_READY"));
    });

    it("are answered as VALIDATING where the caller does not wait, and READY where it asks again and does", async () => {
      const artifact = await upload(running.registry, addingModel(addend++));
      const request = { version: { variants: [{ artifact }] }, requestId: "r" };
      const made = await call({ ...request, noWait: true });
      expect(made).to.deep.include({ state: "VERSION_STATE_VALIDATING", signature: null });
      const done = await call(request);
      expect(done).to.include({ name: made.name, state: "VERSION_STATE_READY" });
      expect(done.etag).to.not.equal(made.etag);
    });

    it("go on in spite of a caller that gives up", async () => {
      const artifact = await upload(running.registry, addingModel(addend++));
      const request = { version: { variants: [{ artifact }] }, requestId: "r" };
      const hurry = { parent: `models/${model}`, allowMissingModel: true, ...request };
      await running.registry.unary("CreateVersion", hurry, { timeoutMs: 1 }).catch(() => undefined);
      expect(await call(request)).to.include({ name: versionName(model, 1), state: "VERSION_STATE_READY" });
    });

    it("go from READY to DEPRECATED, with the reason, once", async () => {
      const name = await ready();
      const deprecated = await deprecate(name);
      expect(deprecated).to.include({ state: "VERSION_STATE_DEPRECATED", stateReason: "use 2" });
      expect(await deprecate(name, { reason: "again" })).to.deep.equal(deprecated);
    });

    it("go from DEPRECATED and from REJECTED to DELETED: the record stays, and is listed where it is asked for", async () => {
      for (const name of [await ready(), await rejected()]) {
        const before = await running.registry.unary("GetVersion", { name });
        if (before.state === "VERSION_STATE_READY") await deprecate(name);
        const deleted = await remove(name);
        expect(deleted).to.include({ state: "VERSION_STATE_DELETED", stateReason: "old" });
        expect(deleted).to.deep.include({ signature: before.signature, createTime: before.createTime });
        expect(deleted.variants[0]!.artifact).to.equal(before.variants[0]!.artifact);
        expect(await remove(name)).to.deep.equal(deleted);
        expect(await running.registry.unary("GetVersion", { name })).to.deep.equal(deleted);
      }
      const list = async (states: string[]) =>
        (await running.registry.unary("ListVersions", { parent: `models/${model}`, states } as object)).versions.length;
      expect(await list([])).to.equal(0);
      expect(await list(["VERSION_STATE_DELETED"])).to.equal(2);
      expect(await ready()).to.equal(versionName(model, 3));
    });

    it("change in no other way, and the refusal says what is needed", async () => {
      const uploading = await call({
        version: { variants: [{ artifact: nameOf(addingModel(addend++)) }] },
        allowMissingArtifacts: true,
      });
      const [first, second, third] = [await ready(), await rejected(), await ready()];
      await deprecate(third);
      const gone = await rejected();
      await remove(gone);
      const update = (name: string) => running.registry.unary("UpdateVersion", { name, tags: {} });
      const add = (name: string) =>
        running.registry.unary("AddVariant", { name, variant: { id: "v", artifact: nameOf(linearModel()) } });
      const refused: [() => Promise<unknown>, string][] = [
        [() => deprecate(uploading.name), "UPLOADING; needed for deprecation: READY"],
        [() => add(uploading.name), "UPLOADING; needed for another variant: READY or DEPRECATED"],
        [() => remove(first), "READY; needed for deletion: UPLOADING or VALIDATING or REJECTED or DEPRECATED"],
        [() => deprecate(second), "REJECTED; needed for deprecation: READY"],
        [() => add(second), "REJECTED; needed for another variant"],
        [() => deprecate(gone), "DELETED; needed for deprecation: READY"],
        [() => update(gone), "DELETED; needed for other tags"],
        [() => add(gone), "DELETED; needed for another variant"],
      ];
      for (const [refusal, message] of refused) {
        const fault = await faultOf(refusal());
        expect(fault, message).to.include({ code: status.FAILED_PRECONDITION, reason: "VERSION_STATE" });
        expect(fault.message).to.contain(message);
      }
    });

    it("are not left for DELETED while an alias leads to the version or somebody holds it, with their names", async () => {
      const name = await ready();
      await ready();
      await point(running.registry, model, "default", 1);
      await running.registry.unary("UpdateAlias", {
        alias: { name: `models/${model}/aliases/canary`, targets: [{ version: 2 }], mirrors: [{ version: 1 }] },
        allowMissing: true,
      });
      const hold = { resource: name, holder: "jobs/abc" };
      await running.registry.unary("HoldResource", { ...hold, duration: { seconds: 60 } });
      await deprecate(name);
      const fault = await faultOf(remove(name));
      expect(fault).to.include({ code: status.FAILED_PRECONDITION, reason: "VERSION_IN_USE" });
      expect(fault.message)
        .to.contain(`models/${model}/aliases/canary, models/${model}/aliases/default`)
        .and.contain("jobs/abc");
      for (const alias of ["default", "canary"]) {
        await running.registry.unary("DeleteAlias", { name: `models/${model}/aliases/${alias}` });
      }
      expect(await faultOf(remove(name))).to.include({ reason: "VERSION_IN_USE" });
      await running.registry.unary("ReleaseHold", hold);
      expect(await remove(name)).to.include({ state: "VERSION_STATE_DELETED" });
    });

    it("are not left for DELETED while requests of an alias that was moved still go to the version", async () => {
      const first = await ready();
      await point(running.registry, model, "default", 1);
      const node = new ConnectedNode(running.control, `node-of-${model}`);
      await node.report({ [`${model}/1`]: "STATE_READY" });
      const watcher = new RouteWatcher(running.control);
      const address = `node-of-${model}:1`;
      const isReached = () => watcher.routes?.[`${model}/1`]?.toString() === address;
      await watcher.steps.until("route to version 1", isReached);
      const second = (await publish(running.registry, model, addingModel(addend++))).name;
      // Where the alias leads is written down before the next version is planned.
      await node.replies.until("version 2", () => node.assigned?.includes(`${model}/2`) || undefined);
      const targets = [{ version: 2 }];
      const alias = { name: `models/${model}/aliases/default`, targets };
      await running.registry.unary("UpdateAlias", { alias, force: true });
      await deprecate(first);
      const fault = await faultOf(remove(first));
      expect(fault).to.include({ code: status.FAILED_PRECONDITION, reason: "VERSION_IN_USE" });
      expect(fault.message).to.contain(`models/${model}/aliases/default`);
      await node.report({ [`${model}/1`]: "STATE_READY", [`${model}/2`]: "STATE_READY" });
      await watcher.steps.until("route to version 2", () => watcher.routes?.[`${model}/2`]?.toString() === address);
      const isGone = async () => (await remove(first).catch(() => undefined))?.state === "VERSION_STATE_DELETED";
      for (const endMs = Date.now() + 10_000; !(await isGone()); ) expect(Date.now()).to.be.below(endMs);
      node.leave();
      watcher.leave();
      expect(second).to.equal(versionName(model, 2));
    });

    it("change only for a caller that knows the etag, where it sends one; tags too", async () => {
      const name = await ready();
      const { etag } = await get(1);
      const tagged = await running.registry.unary("UpdateVersion", { name, tags: { a: "1" }, etag });
      expect(tagged).to.deep.include({ tags: { a: "1" }, state: "VERSION_STATE_READY" });
      for (const refusal of [
        () => running.registry.unary("UpdateVersion", { name, tags: {}, etag }),
        () => deprecate(name, { etag }),
      ]) {
        const fault = await faultOf(refusal());
        expect(fault).to.include({ code: status.ABORTED, reason: "ETAG_MISMATCH" });
        expect(fault.metadata).to.deep.equal({ etag: tagged.etag });
      }
      const replaced = await running.registry.unary("UpdateVersion", { name, tags: { b: "2" }, etag: tagged.etag });
      expect(replaced.tags).to.deep.equal({ b: "2" });
      const list = (tags: Record<string, string>) =>
        running.registry.unary("ListVersions", { parent: `models/${model}`, tags });
      expect((await list({ a: "" })).versions).to.deep.equal([]);
      expect((await list({ b: "2" })).versions).to.have.length(1);
    });

    it("are in the log of changes, each with what was before and after, without model cards", async () => {
      const artifact = await upload(running.registry, addingModel(addend++));
      const { name } = await call({ version: { variants: [{ artifact }], modelCard: "# Card" } });
      await deprecate(name);
      await remove(name);
      const { changes } = await running.registry.unary("ListChanges", { resource: name });
      const seen = changes.map(({ call: by, principal, before, after }) => [
        `${principal} ${by}`,
        before?.version?.state ?? null,
        after?.version?.state,
      ]);
      expect(seen.reverse()).to.deep.equal([
        ["anonymous CreateVersion", null, "VERSION_STATE_VALIDATING"],
        ["registry ValidateVersion", "VERSION_STATE_VALIDATING", "VERSION_STATE_READY"],
        ["anonymous DeprecateVersion", "VERSION_STATE_READY", "VERSION_STATE_DEPRECATED"],
        ["anonymous DeleteVersion", "VERSION_STATE_DEPRECATED", "VERSION_STATE_DELETED"],
      ]);
      const { modelCard: _, ...answered } = await running.registry.unary("GetVersion", { name });
      expect(changes[0]!.after!.version).to.deep.equal({ ...answered, modelCard: "" });
    });
  });
}
