import { status } from "@grpc/grpc-js";
import { expect } from "chai";
import { describeOnEachStore } from "./each-store.ts";
import { addingModel } from "./onnx-files.ts";
import { faultOf, point, publish } from "./running-registry.ts";

describeOnEachStore("models of the registry that are deleted", (own) => {
  const create = (modelId: string, model = {}) => own.running.registry.unary("CreateModel", { modelId, model });

  const listed = async (filters: object) =>
    (await own.running.registry.unary("ListModels", filters)).models.map(({ name }) => name.replace("models/", ""));
  const remove = (id: string, request = {}) =>
    own.running.registry.unary("DeleteModel", { name: `models/${id}`, ...request });
  const restore = (id: string) => own.running.registry.unary("UndeleteModel", { name: `models/${id}` });

  it("can still be read, are listed only where asked for, and do not change", async () => {
    const made = await create("digits", { owner: "a" });
    await create("words");
    const deleted = await remove("digits", { etag: made.etag });
    expect(deleted).to.deep.include({ name: "models/digits", owner: "a", createTime: made.createTime });
    expect(deleted.deleteTime).to.deep.equal(deleted.updateTime);
    expect(deleted.etag).not.to.equal(made.etag);
    expect(await own.running.registry.unary("GetModel", { name: "models/digits" })).to.deep.equal(deleted);
    expect(await listed({})).to.deep.equal(["words"]);
    expect(await listed({ showDeleted: true })).to.deep.equal(["digits", "words"]);
    const fault = await faultOf(own.running.registry.unary("UpdateModel", { model: { name: "models/digits" } }));
    expect(fault).to.include({ code: status.FAILED_PRECONDITION, reason: "MODEL_DELETED" });
    expect(fault.message).to.contain("UndeleteModel");
    expect(await faultOf(create("digits"))).to.include({ code: status.ALREADY_EXISTS, reason: "MODEL_EXISTS" });
  });

  it("come back as they were", async () => {
    const made = await create("digits", { owner: "a", description: "b", tags: { c: "d" } });
    await remove("digits");
    const { etag, updateTime, ...restored } = await restore("digits");
    const { etag: madeEtag, updateTime: madeTime, ...rest } = made;
    expect(restored).to.deep.equal(rest);
    expect(etag).not.to.equal(madeEtag);
    expect(await listed({ tags: { c: "d" } })).to.deep.equal(["digits"]);
  });

  it("stay as they are where they are deleted twice, or brought back twice", async () => {
    const { etag } = await create("digits");
    const deleted = await remove("digits", { etag });
    expect(await remove("digits", { etag })).to.deep.equal(deleted);
    const restored = await restore("digits");
    expect(await restore("digits")).to.deep.equal(restored);
  });

  it("are not deleted under an etag that is no longer current, and not found where they never were", async () => {
    const { etag } = await create("digits");
    const fault = await faultOf(remove("digits", { etag: "another" }));
    expect(fault).to.include({ code: status.ABORTED, reason: "ETAG_MISMATCH" });
    expect(fault.metadata.etag).to.equal(etag);
    for (const call of [remove, restore]) {
      expect(await faultOf(call("nothing"))).to.include({ code: status.NOT_FOUND, reason: "MODEL_NOT_FOUND" });
    }
  });

  it("have no aliases, unless they were deleted by force", async () => {
    const { registry } = own.running;
    await publish(registry, "digits", addingModel(1));
    await point(registry, "digits", "default", 1);
    const fault = await faultOf(remove("digits"));
    expect(fault).to.include({ code: status.FAILED_PRECONDITION, reason: "MODEL_IN_USE" });
    expect(fault.message).to.contain("default").and.contain("force");
    expect((await remove("digits", { force: true })).deleteTime).not.to.equal(null);
    // What is below it can be read, and does not change either.
    expect((await registry.unary("GetAlias", { name: "models/digits/aliases/default" })).targets).to.have.length(1);
    expect(await faultOf(point(registry, "digits", "default", 1))).to.include({ reason: "MODEL_DELETED" });
    await restore("digits");
    await point(registry, "digits", "default", 1);
  });
});
