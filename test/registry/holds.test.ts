import { status } from "@grpc/grpc-js";
import { expect } from "chai";
import { ManualClock } from "../manual-clock.ts";
import { describeOnEachStore } from "./each-store.ts";
import { addingModel } from "./onnx-files.ts";
import { faultOf, noArtifact, publish, startRegistry, upload } from "./running-registry.ts";

describeOnEachStore("holds of the registry", (own) => {
  let artifact: string;

  beforeEach(async () => {
    artifact = await upload(own.running.registry, Buffer.from("a dataset"));
  });

  const hold = (resource: string, holder = "jobs/1", seconds = 60) =>
    own.running.registry.unary("HoldResource", { resource, holder, duration: { seconds } });
  const release = (resource: string, holder = "jobs/1") =>
    own.running.registry.unary("ReleaseHold", { resource, holder });
  const listed = async (resource = "") =>
    (await own.running.registry.unary("ListHolds", { resource })).holds.map(
      (found) => `${found.resource} ${found.holder}`,
    );

  it("are taken on artifacts and versions for a while, prolonged by asking again, and released", async () => {
    const { name: version } = await publish(own.running.registry, "m", addingModel(1));
    const begin = Date.now() / 1000;
    const first = await hold(version, "jobs/1", 10);
    expect(first).to.include({ resource: version, holder: "jobs/1" });
    expect(first.expireTime!.seconds).to.be.within(Math.floor(begin) + 9, Math.ceil(Date.now() / 1000) + 10);
    const second = await hold(version, "jobs/1", 1000);
    expect(second.expireTime!.seconds - first.expireTime!.seconds).to.be.within(985, 1005);
    await hold(artifact, "jobs/2");
    expect(await listed()).to.deep.equal([`${artifact} jobs/2`, `${version} jobs/1`]);
    expect(await listed(version)).to.deep.equal([`${version} jobs/1`]);
    await release(version);
    // There is none any more, so nothing happens.
    await release(version);
    await release(artifact, "jobs/1");
    expect(await listed()).to.deep.equal([`${artifact} jobs/2`]);
    const { changes } = await own.running.registry.unary("ListChanges", { kind: "RESOURCE_KIND_HOLD" });
    expect(changes.reverse().map(({ resource, before, after }) => [resource, before?.hold, after?.hold])).to.deep.equal(
      [
        [version, undefined, first],
        [version, first, second],
        [artifact, undefined, changes[2]?.after?.hold],
        [version, second, undefined],
      ],
    );
  });

  it("keep a version from being deleted", async () => {
    const { registry } = own.running;
    const { name } = await publish(registry, "m", addingModel(1));
    await registry.unary("DeprecateVersion", { name });
    await hold(name);
    const fault = await faultOf(registry.unary("DeleteVersion", { name }));
    expect(fault).to.include({ code: status.FAILED_PRECONDITION, reason: "VERSION_IN_USE" });
    expect(fault.message).to.contain("jobs/1");
    await release(name);
    await registry.unary("DeleteVersion", { name });
    expect(await faultOf(hold(name))).to.include({ code: status.NOT_FOUND, reason: "VERSION_NOT_FOUND" });
  });

  it("are refused on what is not there", async () => {
    await own.running.registry.unary("CreateModel", { modelId: "m" });
    for (const [resource, reason] of [
      [noArtifact, "ARTIFACT_NOT_FOUND"],
      ["models/m/versions/1", "VERSION_NOT_FOUND"],
      ["models/nothing/versions/1", "MODEL_NOT_FOUND"],
    ] as const) {
      expect(await faultOf(hold(resource)), resource).to.include({ code: status.NOT_FOUND, reason });
      await release(resource);
    }
    await own.running.registry.unary("DeleteModel", { name: "models/m" });
    expect(await faultOf(hold("models/m/versions/1"))).to.include({ reason: "MODEL_DELETED" });
  });

  it("last from a second to 30 days, for somebody, on a version by its number or an artifact", async () => {
    const day = 24 * 60 * 60;
    await hold(artifact, "jobs/1", 1);
    await hold(artifact, "x".repeat(256), 30 * day);
    for (const [resource, holder, seconds] of [
      [artifact, "jobs/1", 0],
      [artifact, "jobs/1", 30 * day + 1],
      [artifact, "", 60],
      [artifact, "x".repeat(257), 60],
      [artifact, "a\0b", 60],
      ["models/m", "jobs/1", 60],
      ["models/m/versions/default", "jobs/1", 60],
      ["artifacts/abc", "jobs/1", 60],
    ] as const) {
      const fault = await faultOf(hold(resource, holder, seconds));
      expect(fault, `${resource} ${seconds}`).to.include({ code: status.INVALID_ARGUMENT, reason: "REQUEST_INVALID" });
    }
    expect(await faultOf(own.running.registry.unary("HoldResource", { resource: artifact, holder: "a" }))).to.include({
      reason: "REQUEST_INVALID",
    });
  });

  it("are listed page by page, with page tokens of the same resource only", async () => {
    for (const holder of ["b", "a", "with\nbreak", "c"]) await hold(artifact, holder);
    const seen: string[] = [];
    let pageToken = "";
    do {
      const page = await own.running.registry.unary("ListHolds", { pageSize: 1, pageToken });
      seen.push(...page.holds.map(({ holder }) => holder));
      if (page.nextPageToken !== "") {
        const request = { resource: artifact, pageToken: page.nextPageToken };
        expect(await faultOf(own.running.registry.unary("ListHolds", request))).to.include({
          reason: "REQUEST_INVALID",
        });
      }
      pageToken = page.nextPageToken;
    } while (pageToken !== "");
    expect(seen).to.deep.equal(["a", "b", "c", "with\nbreak"]);
  });

  it("count as none once they have expired", async () => {
    await own.running.stop();
    const clock = new ManualClock();
    own.running = await startRegistry(own.folder, own.settings, clock);
    await hold(artifact, "jobs/1", 10);
    await hold(artifact, "jobs/2", 20);
    clock.advance(9_999);
    expect(await listed()).to.have.length(2);
    clock.advance(1);
    expect(await listed()).to.deep.equal([`${artifact} jobs/2`]);
    // The next hold of the same holder is a new one.
    await hold(artifact, "jobs/1", 10);
    const { changes } = await own.running.registry.unary("ListChanges", { pageSize: 1 });
    expect(changes[0]?.before).to.equal(null);
  });
});
