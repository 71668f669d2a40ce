import { status } from "@grpc/grpc-js";
import { expect } from "chai";
import { describeModelsOnEachStore, ModelCalls, plain } from "./models-of-a-store.ts";
import { faultOf } from "./running-registry.ts";

describeModelsOnEachStore("the history of an alias", (own) => {
  const calls = new ModelCalls(own);
  const targetsOf = ({ targets }: { readonly targets: readonly { readonly version: number }[] }) =>
    targets.map(({ version }) => version);

  beforeEach(() => calls.publish(plain, plain, plain));

  it("has who moved it where, when and why, newest first, page by page", async () => {
    await calls.move([1], { reason: "first" });
    await calls.move([], {}, { targets: [{ version: 2, weight: 9 }], mirrors: [{ version: 3, share: 0.5 }] });
    await calls.remove({ reason: "not needed" });
    const list = (request: object) =>
      calls.registry.unary("ListAliasRevisions", { name: calls.alias, pageSize: 2, ...request });
    const first = await list({});
    const second = await list({ pageToken: first.nextPageToken });
    expect(second.nextPageToken).to.equal("");
    const revisions = [...first.revisions, ...second.revisions];
    expect(revisions.map(({ time, ...rest }) => rest)).to.deep.equal([
      {
        revision: 3,
        targets: [],
        mirrors: [],
        deleted: true,
        forced: false,
        principal: "anonymous",
        reason: "not needed",
      },
      {
        ...{ revision: 2, targets: [{ version: 2, weight: 9 }], mirrors: [{ version: 3, share: 0.5 }] },
        ...{ deleted: false, forced: false, principal: "ann", reason: "" },
      },
      {
        ...{ revision: 1, targets: [{ version: 1, weight: 1 }], mirrors: [] },
        ...{ deleted: false, forced: false, principal: "ann", reason: "first" },
      },
    ]);
    const times = revisions.map(({ time }) => time!.seconds + time!.nanos / 1e9);
    expect(times).to.deep.equal([...times].sort((a, b) => b - a));
    expect(times[2]).to.be.above(0);
  });

  it("goes on where an alias was deleted and is made again", async () => {
    await calls.move([1]);
    await calls.remove();
    expect(await calls.move([2])).to.include({ revision: 3 });
    expect((await calls.revisions()).map(({ revision }) => revision)).to.deep.equal([3, 2, 1]);
  });

  it("leads back to the revision before, and from there forward again", async () => {
    await calls.move([], {}, { targets: [{ version: 1, weight: 7 }], mirrors: [{ version: 3, share: 0.5 }] });
    const moved = await calls.move([2]);
    const back = await calls.rollback({ etag: moved.etag, reason: "too slow" });
    expect(back).to.deep.include({ targets: [{ version: 1, weight: 7 }], mirrors: [{ version: 3, share: 0.5 }] });
    expect(back).to.include({ revision: 3, principal: "anonymous", reason: "too slow" });
    expect(await calls.get()).to.deep.equal(back);
    expect(targetsOf(await calls.rollback())).to.deep.equal([2]);
    expect(await faultOf(calls.rollback({ etag: back.etag }))).to.include({
      code: status.ABORTED,
      reason: "ETAG_MISMATCH",
    });
  });

  it("leads back to any revision that points at something", async () => {
    for (const version of [1, 2, 3]) await calls.move([version]);
    expect(await calls.rollback({ revision: 1 })).to.deep.include({
      revision: 4,
      targets: [{ version: 1, weight: 1 }],
    });
    // It is there already.
    expect(await calls.rollback({ revision: 4 })).to.include({ revision: 4 });
    expect(await calls.rollback({ revision: 1 })).to.include({ revision: 4 });
  });

  it("leads to no revision that is none or a removal; the refusal names those there are", async () => {
    await calls.move([1]);
    const only = await faultOf(calls.rollback());
    expect(only).to.include({ code: status.NOT_FOUND, reason: "REVISION_NOT_FOUND" });
    expect(only.message).to.match(/there are: 1$/);
    await calls.remove();
    await calls.move([2]);
    for (const revision of [2, 9]) {
      const fault = await faultOf(calls.rollback({ revision }));
      expect(fault).to.include({ code: status.NOT_FOUND, reason: "REVISION_NOT_FOUND" });
      expect(fault.message)
        .to.contain(String(revision))
        .and.match(/there are: 3, 1$/);
    }
    expect(await faultOf(calls.rollback({ revision: -1 }))).to.include({ reason: "REQUEST_INVALID" });
    // Removals are passed over.
    expect(targetsOf(await calls.rollback())).to.deep.equal([1]);
  });

  it("brings a deleted alias back", async () => {
    await calls.move([1]);
    await calls.move([2]);
    await calls.remove();
    expect(await faultOf(calls.rollback({ etag: "x" }))).to.include({ reason: "ETAG_MISMATCH" });
    const back = await calls.rollback({ reason: "needed after all" });
    expect(back).to.deep.include({ revision: 4, targets: [{ version: 2, weight: 1 }], reason: "needed after all" });
    expect(await calls.get()).to.deep.equal(back);
    const [newest] = (await calls.registry.unary("ListChanges", { resource: calls.alias })).changes;
    expect(newest).to.deep.include({ call: "RollbackAlias", before: null });
  });

  it("does not lead back to a version that cannot be served any more, and to a deprecated one only by force", async () => {
    await calls.move([1]);
    await calls.move([2]);
    await calls.deprecate(1);
    const fault = await faultOf(calls.rollback());
    expect(fault).to.include({ code: status.FAILED_PRECONDITION, reason: "VERSION_STATE" });
    expect(fault.message).to.contain(calls.version(1)).and.contain("DEPRECATED (too old)").and.contain("force");
    await calls.rollback({ force: true });
    expect((await calls.revisions())[0]).to.include({ revision: 3, forced: true });
    await calls.move([3]);
    await calls.registry.unary("DeleteVersion", { name: calls.version(1) });
    const never = await faultOf(calls.rollback({ force: true }));
    expect(never).to.include({ code: status.FAILED_PRECONDITION, reason: "VERSION_STATE" });
    expect(never.message).to.contain("DELETED");
  });
});
