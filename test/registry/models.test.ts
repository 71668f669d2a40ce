import { status } from "@grpc/grpc-js";
import { expect } from "chai";
import { describeOnEachStore } from "./each-store.ts";
import { faultOf } from "./running-registry.ts";

describeOnEachStore("models of the registry", (own) => {
  const create = (modelId: string, model = {}) => own.running.registry.unary("CreateModel", { modelId, model });

  it("are made with owner, description, tags and compatibility, and read back as they were answered", async () => {
    const made = await create("digits", { owner: "team-a", description: "Reads digits.", tags: { task: "vision" } });
    expect(made).to.deep.include({ name: "models/digits", owner: "team-a", description: "Reads digits." });
    expect(made.tags).to.deep.equal({ task: "vision" });
    expect(made).to.include({ compatibility: "COMPATIBILITY_MODE_BACKWARD", deleteTime: null });
    expect(made.createTime).to.deep.equal(made.updateTime);
    expect(made.etag).not.to.equal("");
    expect(await own.running.registry.unary("GetModel", { name: "models/digits" })).to.deep.equal(made);
  });

  it("are refused when the id is taken", async () => {
    await create("digits");
    const fault = await faultOf(create("digits"));
    expect(fault).to.include({ code: status.ALREADY_EXISTS, reason: "MODEL_EXISTS" });
    expect(fault.message).to.contain("models/digits");
  });

  for (const id of ["", "Digits", "-a", "a-", "a/b", "a b", "ä", ".", "a\u0000b", "a".repeat(64)]) {
    it(`are refused under the id ${JSON.stringify(id.slice(0, 20))}`, async () => {
      const fault = await faultOf(create(id));
      expect(fault).to.include({ code: status.INVALID_ARGUMENT, reason: "REQUEST_INVALID" });
      expect(fault.metadata.field).to.equal("model_id");
    });
  }

  it("may have ids of 1 and of 63 characters, with digits, dots, dashes and underscores", async () => {
    for (const id of ["a", "7", "a.b-c_d", "a".repeat(63)]) expect((await create(id)).name).to.equal(`models/${id}`);
  });

  it("are not found by a name that is none, with the names of those that exist", async () => {
    for (let index = 10; index < 25; index++) await create(`m${index}`);
    const fault = await faultOf(own.running.registry.unary("GetModel", { name: "models/nothing" }));
    expect(fault).to.include({ code: status.NOT_FOUND, reason: "MODEL_NOT_FOUND" });
    expect(fault.message).to.contain("models/nothing").and.contain("m10").and.contain("m19");
    expect(fault.message).not.to.contain("m24");
  });

  it("are refused under a malformed name, and the next call works", async () => {
    await create("digits");
    for (const name of ["", "digits", "models/", "models/a/versions/1", "models/DIGITS"]) {
      const fault = await faultOf(own.running.registry.unary("GetModel", { name }));
      expect(fault, name).to.include({ code: status.INVALID_ARGUMENT, reason: "REQUEST_INVALID" });
    }
    expect((await own.running.registry.unary("GetModel", { name: "models/digits" })).name).to.equal("models/digits");
  });

  it("change only in the fields that the mask names", async () => {
    const made = await create("digits", { owner: "a", description: "b", tags: { c: "d" } });
    const request = {
      model: { name: "models/digits", owner: "new", description: "ignored" },
      updateMask: { paths: ["owner"] },
    };
    const updated = await own.running.registry.unary("UpdateModel", request);
    expect(updated).to.deep.include({ owner: "new", description: "b", tags: { c: "d" } });
    expect(updated.etag).not.to.equal(made.etag);
    expect(updated.createTime).to.deep.equal(made.createTime);
    expect(await own.running.registry.unary("GetModel", { name: "models/digits" })).to.deep.equal(updated);
  });

  it("change in owner, description, tags and compatibility where the mask is empty", async () => {
    const compatibility = "COMPATIBILITY_MODE_NONE";
    await create("digits", { owner: "a", description: "b", tags: { c: "d" }, compatibility });
    const updated = await own.running.registry.unary("UpdateModel", { model: { name: "models/digits", owner: "new" } });
    expect(updated).to.deep.include({ owner: "new", description: "", tags: {} });
    expect(updated.compatibility).to.equal("COMPATIBILITY_MODE_BACKWARD");
  });

  it("have one of the compatibility modes of the contract", async () => {
    const made = await create("digits", { compatibility: "COMPATIBILITY_MODE_FULL_TRANSITIVE" });
    expect(made.compatibility).to.equal("COMPATIBILITY_MODE_FULL_TRANSITIVE");
    const fault = await faultOf(create("other", { compatibility: 99 }));
    expect(fault).to.include({ code: status.INVALID_ARGUMENT, reason: "REQUEST_INVALID" });
    expect(fault.message).to.contain("model.compatibility is 99");
  });

  it("do not change by a mask with an unknown field", async () => {
    await create("digits");
    const request = { model: { name: "models/digits" }, updateMask: { paths: ["owner", "etag"] } };
    const fault = await faultOf(own.running.registry.unary("UpdateModel", request));
    expect(fault).to.include({ code: status.INVALID_ARGUMENT, reason: "REQUEST_INVALID" });
    expect(fault.message).to.contain("etag").and.contain("owner, description, tags, compatibility");
    const many = { ...request, updateMask: { paths: Array(65).fill("owner") } };
    expect((await faultOf(own.running.registry.unary("UpdateModel", many))).metadata.field).to.equal(
      "update_mask.paths",
    );
  });

  it("do not change under an etag that is no longer current, and say the current one", async () => {
    const { etag } = await create("digits");
    const model = { name: "models/digits", owner: "first", etag };
    const updated = await own.running.registry.unary("UpdateModel", { model });
    const fault = await faultOf(own.running.registry.unary("UpdateModel", { model: { ...model, owner: "second" } }));
    expect(fault).to.include({ code: status.ABORTED, reason: "ETAG_MISMATCH" });
    expect(fault.metadata.etag).to.equal(updated.etag);
    expect((await own.running.registry.unary("GetModel", { name: "models/digits" })).owner).to.equal("first");
  });

  it("are not found by an update of one that does not exist", async () => {
    const fault = await faultOf(own.running.registry.unary("UpdateModel", { model: { name: "models/nothing" } }));
    expect(fault).to.include({ code: status.NOT_FOUND, reason: "MODEL_NOT_FOUND" });
  });

  it("keep owner, description and tags within their bounds", async () => {
    const tags = (count: number) => Object.fromEntries(Array.from({ length: count }, (_, i) => [`key${i}`, "value"]));
    await create("just-fits", { owner: "x".repeat(256), description: "x".repeat(16_384), tags: tags(64) });
    for (const model of [
      { owner: "x".repeat(257) },
      { description: "x".repeat(16_385) },
      { tags: tags(65) },
      { tags: { "": "value" } },
      { owner: "a\u0000b" },
    ]) {
      const fault = await faultOf(create("too-much", model));
      expect(fault, Object.keys(model)[0]).to.include({ code: status.INVALID_ARGUMENT, reason: "REQUEST_INVALID" });
    }
    expect((await own.running.registry.unary("ListModels", {})).models).to.have.length(1);
  });

  it("keep tags that are named like parts of JavaScript objects", async () => {
    const tags = { constructor: "a", toString: "b" };
    await create("digits", { tags });
    const { tags: read } = await own.running.registry.unary("GetModel", { name: "models/digits" });
    expect(Object.entries(read)).to.deep.equal(Object.entries(tags));
  });
});
