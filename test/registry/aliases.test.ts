import { status } from "@grpc/grpc-js";
import { expect } from "chai";
import { describeModelsOnEachStore, ModelCalls, plain } from "./models-of-a-store.ts";
import { faultOf, point } from "./running-registry.ts";

describeModelsOnEachStore("aliases of the registry", (own) => {
  const calls = new ModelCalls(own);

  beforeEach(() => calls.publish(plain, plain, plain));

  it("are made where the call allows it, with who, when and why, and move", async () => {
    const made = await calls.move([1], { reason: "first" });
    expect(made).to.deep.include({ name: calls.alias, targets: [{ version: 1, weight: 1 }], mirrors: [] });
    expect(made).to.include({ revision: 1, principal: "ann", reason: "first" });
    expect(made.updateTime!.seconds).to.be.above(0);
    expect(await calls.get()).to.deep.equal(made);
    const moved = await calls.move([2], { allowMissing: false });
    expect(moved).to.deep.include({ targets: [{ version: 2, weight: 1 }], revision: 2 });
    expect(moved.etag).not.to.equal(made.etag);
    expect(await calls.get()).to.deep.equal(moved);
  });

  it("are not made by a call that does not allow it", async () => {
    await point(calls.registry, own.id, "canary", 1);
    const fault = await faultOf(calls.move([1], { allowMissing: false }));
    expect(fault).to.include({ code: status.NOT_FOUND, reason: "ALIAS_NOT_FOUND" });
    expect(fault.message).to.contain("default").and.contain("canary");
  });

  it("have weighted targets and mirrors, which count as 1 where nothing is said", async () => {
    const targets = [{ version: 3, weight: 90 }, { version: 1 }];
    const mirrors = [{ version: 2, share: 0.25 }, { version: 3 }];
    const moved = await calls.move([], {}, { targets, mirrors });
    expect(moved.targets).to.deep.equal([
      { version: 3, weight: 90 },
      { version: 1, weight: 1 },
    ]);
    expect(moved.mirrors).to.deep.equal([
      { version: 2, share: 0.25 },
      { version: 3, share: 1 },
    ]);
    expect((await calls.registry.unary("GetVersion", { name: `${own.name}/versions/default` })).name).to.match(/\/3$/);
    const resolved = await calls.registry.unary("ResolveAlias", { name: calls.alias });
    expect(resolved.alias).to.deep.equal(moved);
    const versions = await Promise.all(
      [3, 1, 2].map((number) => calls.registry.unary("GetVersion", { name: calls.version(number) })),
    );
    expect([...resolved.targets, ...resolved.mirrors]).to.deep.equal([...versions, versions[0]]);
  });

  it("resolve to versions without their model cards, as they are now", async () => {
    const [variant] = (await calls.registry.unary("GetVersion", { name: calls.version(1) })).variants;
    const version = { variants: [{ artifact: variant!.artifact }], modelCard: "# Long" };
    await calls.registry.unary("CreateVersion", { parent: own.name, version });
    await calls.move([4]);
    const target = async () => (await calls.registry.unary("ResolveAlias", { name: calls.alias })).targets[0]!;
    expect(await target()).to.include({ modelCard: "", state: "VERSION_STATE_READY" });
    await calls.deprecate(4);
    expect(await target()).to.include({ state: "VERSION_STATE_DEPRECATED" });
  });

  it("point only at versions that exist", async () => {
    for (const alias of [{ targets: [{ version: 9 }] }, { targets: [{ version: 1 }], mirrors: [{ version: 9 }] }]) {
      const fault = await faultOf(calls.move([], {}, alias));
      expect(fault).to.include({ code: status.NOT_FOUND, reason: "VERSION_NOT_FOUND" });
      expect(fault.message).to.contain(calls.version(9)).and.contain("3, 2, 1");
    }
    const other = await faultOf(point(calls.registry, "none", "default", 1));
    expect(other).to.include({ code: status.NOT_FOUND, reason: "MODEL_NOT_FOUND" });
  });

  const many = (count: number) => Array.from({ length: count }, (_, index) => ({ version: index + 1 }));
  const refused: readonly (readonly [string, object])[] = [
    ["alias.name", { name: "models/m/aliases/1" }],
    ["alias.name", { name: "models/m/aliases/12.5" }],
    ["alias.name", { name: "models/m/aliases/Default" }],
    ["alias.name", { name: "models/m/aliases/" }],
    ["alias.name", { name: "default" }],
    ["alias.targets", { targets: [] }],
    ["alias.targets", { targets: many(17) }],
    ["alias.targets[0].version", { targets: [{ version: 0 }] }],
    ["alias.targets[0].version", { targets: [{ version: -1 }] }],
    ["alias.targets[1].version", { targets: [{ version: 1 }, { version: 1 }] }],
    ["alias.targets[0].weight", { targets: [{ version: 1, weight: -1 }] }],
    ["alias.targets[0].weight", { targets: [{ version: 1, weight: 1_000_001 }] }],
    ["alias.mirrors", { targets: many(1), mirrors: many(9) }],
    ["alias.mirrors[1].version", { targets: many(1), mirrors: [{ version: 2 }, { version: 2 }] }],
    ["alias.mirrors[0].share", { targets: many(1), mirrors: [{ version: 2, share: 1.5 }] }],
    ["alias.mirrors[0].share", { targets: many(1), mirrors: [{ version: 2, share: -0.5 }] }],
    ["alias.mirrors[0].share", { targets: many(1), mirrors: [{ version: 2, share: Number.NaN }] }],
  ];
  for (const [index, [field, alias]] of refused.entries()) {
    it(`are refused for what ${field} cannot be (${index})`, async () => {
      const fault = await faultOf(calls.move([1], {}, alias));
      expect(fault).to.include({ code: status.INVALID_ARGUMENT, reason: "REQUEST_INVALID" });
      expect(fault.metadata.field).to.equal(field);
    });
  }

  it("are refused for a reason that is too long, and without an alias", async () => {
    expect((await faultOf(calls.move([1], { reason: "x".repeat(1025) }))).metadata.field).to.equal("reason");
    expect(await faultOf(calls.registry.unary("UpdateAlias", {}))).to.include({ reason: "REQUEST_INVALID" });
  });

  it("are refused under names that are reserved, which the refusal lists", async () => {
    for (const id of ["latest", "newest", "all", "any", "none"]) {
      const fault = await faultOf(calls.move([1], {}, { name: `${own.name}/aliases/${id}` }));
      expect(fault).to.include({ code: status.INVALID_ARGUMENT, reason: "REQUEST_INVALID" });
      expect(fault.message).to.contain("latest, newest, all, any, none");
    }
  });

  it("stay as they are where they are moved to where they lead already, also twice at once", async () => {
    const weighted = { targets: [{ version: 1, weight: 3 }, { version: 2 }], mirrors: [{ version: 3, share: 0.5 }] };
    const moves = [calls.move([], { reason: "a" }, weighted), calls.move([], { reason: "b" }, weighted)];
    const [first, second] = await Promise.all(moves);
    expect(second).to.deep.equal(first);
    expect(await calls.revisions()).to.have.length(1);
    const lighter = { ...weighted, targets: [{ version: 1, weight: 2 }, { version: 2 }] };
    expect(await calls.move([], {}, lighter)).to.include({ revision: 2 });
    const { changes } = await calls.registry.unary("ListChanges", { resource: calls.alias });
    expect(changes).to.have.length(2);
  });

  it("move for one of two writers that read the same etag; the other is told the current one", async () => {
    const { etag } = await calls.move([1]);
    const moves = [2, 3].map((version) => calls.move([version], {}, { etag }));
    const settled = await Promise.allSettled(moves);
    expect(settled.map((one) => one.status).sort()).to.deep.equal(["fulfilled", "rejected"]);
    const fault = await faultOf(moves[settled.findIndex((one) => one.status === "rejected")]!);
    expect(fault).to.include({ code: status.ABORTED, reason: "ETAG_MISMATCH" });
    expect(fault.metadata.etag).to.equal((await calls.get()).etag);
  });

  it("are made for one of two writers that saw none; the other is told the etag of what there is now", async () => {
    const moves = [1, 2].map((version) => calls.move([version], { mustNotExist: true }));
    const outcomes = await Promise.allSettled(moves);
    expect(outcomes.map(({ status: outcome }) => outcome).sort()).to.deep.equal(["fulfilled", "rejected"]);
    const fault = await faultOf(calls.move([1], { mustNotExist: true }));
    expect(fault).to.include({ code: status.ABORTED, reason: "ETAG_MISMATCH" });
    expect(fault.metadata.etag).to.equal((await calls.get()).etag);
    const both = await faultOf(calls.move([1], { mustNotExist: true }, { etag: "x" }));
    expect(both.message).to.equal("alias.etag is x; needed: none beside must_not_exist");
  });

  it("are not made under an etag", async () => {
    const fault = await faultOf(calls.move([1], {}, { etag: "x" }));
    expect(fault).to.include({ code: status.ABORTED, reason: "ETAG_MISMATCH" });
  });

  it("are removed under the current etag or none, and the version stays", async () => {
    const { etag } = await calls.move([1]);
    expect(await faultOf(calls.remove({ etag: "x" }))).to.include({ code: status.ABORTED, reason: "ETAG_MISMATCH" });
    await calls.remove({ etag });
    expect(await faultOf(calls.get())).to.include({ code: status.NOT_FOUND, reason: "ALIAS_NOT_FOUND" });
    expect(await faultOf(calls.remove())).to.include({ code: status.NOT_FOUND, reason: "ALIAS_NOT_FOUND" });
    expect((await calls.registry.unary("GetVersion", { name: calls.version(1) })).name).to.equal(calls.version(1));
  });

  it("are listed in the order of their names, page by page, each page of its own model", async () => {
    for (const id of ["prod", "canary", "default", "a-1"]) await point(calls.registry, own.id, id, 1);
    const list = (request: object) =>
      calls.registry.unary("ListAliases", { parent: own.name, pageSize: 3, ...request });
    const first = await list({});
    const pageToken = first.nextPageToken;
    const second = await list({ pageToken });
    const names = [...first.aliases, ...second.aliases].map(({ name }) => name.split("/")[3]);
    expect(names).to.deep.equal(["a-1", "canary", "default", "prod"]);
    expect(second.nextPageToken).to.equal("");
    expect(await faultOf(list({ parent: "models/other", pageToken }))).to.include({ reason: "REQUEST_INVALID" });
  });

  it("of a model that is none are not found", async () => {
    const fault = await faultOf(calls.registry.unary("ListAliases", { parent: "models/none" }));
    expect(fault).to.include({ code: status.NOT_FOUND, reason: "MODEL_NOT_FOUND" });
    for (const call of ["GetAlias", "ResolveAlias", "ListAliasRevisions", "RollbackAlias", "DeleteAlias"] as const) {
      const unknown = await faultOf(calls.registry.unary(call, { name: "models/none/aliases/default" }));
      expect(unknown, call).to.include({ reason: "MODEL_NOT_FOUND" });
      const never = await faultOf(calls.registry.unary(call, { name: calls.alias }));
      expect(never, call).to.include({ reason: "ALIAS_NOT_FOUND" });
    }
  });

  it("of a deleted model can be read and do not change", async () => {
    await calls.move([1]);
    await calls.move([2]);
    await calls.registry.unary("DeleteModel", { name: own.name, force: true });
    expect((await calls.get()).revision).to.equal(2);
    expect(await calls.revisions()).to.have.length(2);
    for (const change of [() => calls.move([3]), () => calls.rollback(), () => calls.remove()]) {
      const fault = await faultOf(change());
      expect(fault).to.include({ code: status.FAILED_PRECONDITION, reason: "MODEL_DELETED" });
    }
  });

  it("keep what they lead to from being deleted", async () => {
    await calls.move([], {}, { targets: [{ version: 1 }], mirrors: [{ version: 2 }] });
    const remove = (version: number) => calls.registry.unary("DeleteVersion", { name: calls.version(version) });
    for (const version of [1, 2]) {
      await calls.deprecate(version);
      expect(await faultOf(remove(version))).to.include({ reason: "VERSION_IN_USE" });
    }
    await calls.move([3]);
    for (const version of [1, 2]) expect(await remove(version)).to.include({ state: "VERSION_STATE_DELETED" });
  });

  it("are in the log of changes as their own call answers them, before and after", async () => {
    const made = await calls.move([1]);
    const moved = await calls.move([2]);
    await calls.remove();
    const { changes } = await calls.registry.unary("ListChanges", { resource: calls.alias });
    expect(changes.map(({ call, before, after }) => [call, before?.alias, after?.alias])).to.deep.equal([
      ["DeleteAlias", moved, undefined],
      ["UpdateAlias", made, moved],
      ["UpdateAlias", undefined, made],
    ]);
  });
});
