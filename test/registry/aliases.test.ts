import { status } from "@grpc/grpc-js";
import { expect } from "chai";
import { addingModel } from "./onnx-files.ts";
import { emptyFolder, faultOf, point, publish, type RunningRegistry, startRegistry } from "./running-registry.ts";

describe("aliases of the registry", () => {
  let folder: Awaited<ReturnType<typeof emptyFolder>>;
  let running: RunningRegistry;

  beforeEach(async () => {
    folder = await emptyFolder();
    running = await startRegistry(folder.path);
    await publish(running.registry, "m", addingModel(1));
    await publish(running.registry, "m", addingModel(2));
  });

  afterEach(async () => {
    await running.stop();
    await folder.remove();
  });

  const update = (alias: object, allowMissing = false) =>
    running.registry.unary("UpdateAlias", { alias: { name: "models/m/aliases/default", ...alias }, allowMissing });
  const get = (name = "models/m/aliases/default") => running.registry.unary("GetAlias", { name });

  it("are made where the call allows it, and move", async () => {
    const made = await update({ version: 1 }, true);
    expect(made).to.deep.include({ name: "models/m/aliases/default", version: 1 });
    expect(await get()).to.deep.equal(made);
    const moved = await update({ version: 2 });
    expect(moved.version).to.equal(2);
    expect(moved.etag).not.to.equal(made.etag);
    expect(await get()).to.deep.equal(moved);
  });

  it("are not made by a call that does not allow it", async () => {
    await point(running.registry, "m", "canary", 1);
    const fault = await faultOf(update({ version: 1 }));
    expect(fault).to.include({ code: status.NOT_FOUND, reason: "ALIAS_NOT_FOUND" });
    expect(fault.message).to.contain("default").and.contain("canary");
  });

  it("point only at versions that exist", async () => {
    const fault = await faultOf(update({ version: 3 }, true));
    expect(fault).to.include({ code: status.NOT_FOUND, reason: "VERSION_NOT_FOUND" });
    expect(fault.message).to.contain("models/m/versions/3").and.contain("2, 1");
    const other = await faultOf(point(running.registry, "none", "default", 1));
    expect(other).to.include({ code: status.NOT_FOUND, reason: "MODEL_NOT_FOUND" });
  });

  it("are refused for malformed names and versions", async () => {
    for (const alias of [
      { version: 0 },
      { version: -1 },
      { name: "models/m/aliases/1", version: 1 },
      { name: "models/m/aliases/12.5", version: 1 },
      { name: "models/m/aliases/Default", version: 1 },
      { name: "models/m/aliases/", version: 1 },
      { name: "default", version: 1 },
    ]) {
      const fault = await faultOf(update(alias, true));
      expect(fault, JSON.stringify(alias)).to.include({ code: status.INVALID_ARGUMENT, reason: "REQUEST_INVALID" });
    }
    expect(await faultOf(running.registry.unary("UpdateAlias", {}))).to.include({ reason: "REQUEST_INVALID" });
  });

  it("move for one of two writers that read the same etag; the other is told the current one", async () => {
    const { etag } = await update({ version: 1 }, true);
    const settled = await Promise.allSettled([update({ version: 1, etag }), update({ version: 2, etag })]);
    expect(settled.map((one) => one.status).sort()).to.deep.equal(["fulfilled", "rejected"]);
    const fault = await faultOf(update({ version: 2, etag }));
    expect(fault).to.include({ code: status.ABORTED, reason: "ETAG_MISMATCH" });
    expect(fault.metadata.etag).to.equal((await get()).etag);
  });

  it("are not made under an etag", async () => {
    const fault = await faultOf(update({ version: 1, etag: "x" }, true));
    expect(fault).to.include({ code: status.ABORTED, reason: "ETAG_MISMATCH" });
  });

  it("are removed under the current etag or none, and the version stays", async () => {
    const remove = (etag = "") => running.registry.unary("DeleteAlias", { name: "models/m/aliases/default", etag });
    const { etag } = await update({ version: 1 }, true);
    expect(await faultOf(remove("x"))).to.include({ code: status.ABORTED, reason: "ETAG_MISMATCH" });
    await remove(etag);
    expect(await faultOf(get())).to.include({ code: status.NOT_FOUND, reason: "ALIAS_NOT_FOUND" });
    expect(await faultOf(remove())).to.include({ code: status.NOT_FOUND, reason: "ALIAS_NOT_FOUND" });
    expect((await running.registry.unary("GetVersion", { name: "models/m/versions/1" })).name).not.to.equal("");
  });

  it("are listed in the order of their names, page by page", async () => {
    for (const id of ["prod", "canary", "default", "a-1"]) await point(running.registry, "m", id, 1);
    const first = await running.registry.unary("ListAliases", { parent: "models/m", pageSize: 3 });
    const pageToken = first.nextPageToken;
    const second = await running.registry.unary("ListAliases", { parent: "models/m", pageSize: 3, pageToken });
    const names = [...first.aliases, ...second.aliases].map(({ name }) => name.split("/")[3]);
    expect(names).to.deep.equal(["a-1", "canary", "default", "prod"]);
    expect(second.nextPageToken).to.equal("");
  });

  it("of a model that is none are not found", async () => {
    const fault = await faultOf(running.registry.unary("ListAliases", { parent: "models/none" }));
    expect(fault).to.include({ code: status.NOT_FOUND, reason: "MODEL_NOT_FOUND" });
    expect(await faultOf(get("models/none/aliases/default"))).to.include({ reason: "MODEL_NOT_FOUND" });
  });
});
