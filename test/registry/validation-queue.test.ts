import { status } from "@grpc/grpc-js";
import { expect } from "chai";
import { artifactName } from "../../lib/resource-names.ts";
import { ManualClock } from "../manual-clock.ts";
import { begin } from "./begun-version.ts";
import { Inbox } from "./inbox.ts";
import { addingModel, linearModel } from "./onnx-files.ts";
import { ownRegistry } from "./own-registry.ts";
import { endlessModel } from "./raw-models.ts";
import { faultOf, publish, sha256Of, upload } from "./running-registry.ts";
import { busyValidator, nextValidator, validatorsOf } from "./validator-processes.ts";

describe("the queue of validations bears", () => {
  const own = ownRegistry();

  it("more work than it has room for, and known content needs none", async () => {
    const { registry } = await own.start({ AMAAS_VALIDATIONS_WAITING_MAX: "2" });
    await publish(registry, "m", linearModel());
    const models = [endlessModel(), addingModel(1)];
    for (const model of models) await begin(own.running, model);
    const fault = await faultOf(publish(registry, "m", addingModel(2)));
    expect(fault).to.include({ code: status.RESOURCE_EXHAUSTED, reason: "QUEUE_FULL" });
    expect(await publish(registry, "m", linearModel())).to.include({ state: "VERSION_STATE_READY" });
  });

  it("one model's endless versions: another model waits for one of them at most", async () => {
    // So long that the other model is tried in time where the machine has other work too.
    const timeoutMs = 4000;
    const { registry } = await own.start({ AMAAS_VALIDATION_TIMEOUT_MS: String(timeoutMs) });
    for (let count = 0; count < 4; count++) await begin(own.running, endlessModel());
    await nextValidator();
    const { state } = await publish(registry, "other", linearModel());
    expect(state).to.equal("VERSION_STATE_READY");
    const { versions } = await registry.unary("ListVersions", {
      parent: "models/m",
      states: ["VERSION_STATE_VALIDATING"],
    });
    expect(versions).to.have.length.at.least(2);
  });

  it("the deletion of a version, or of its model, while it waits or is tried: it takes no place in the queue", async () => {
    const { registry } = await own.start();
    const tried = await begin(own.running, endlessModel());
    const waiting = await begin(own.running, addingModel(1));
    await busyValidator();
    for (const { name } of [waiting, tried]) {
      expect(await registry.unary("DeleteVersion", { name })).to.include({ state: "VERSION_STATE_DELETED" });
    }
    expect(await publish(registry, "other", linearModel())).to.include({ state: "VERSION_STATE_READY" });

    for (let count = 0; count < 2; count++) await begin(own.running, endlessModel());
    await busyValidator();
    await registry.unary("DeleteModel", { name: "models/m" });
    expect(await publish(registry, "other", addingModel(2))).to.include({ state: "VERSION_STATE_READY" });
    await registry.unary("UndeleteModel", { name: "models/m" });
    const known = await validatorsOf();
    await busyValidator(known.slice(1));
  });

  it("more versions without artifacts than it has room for, and others need none", async () => {
    const { registry } = await own.start({ AMAAS_VERSIONS_UPLOADING_MAX: "2" });
    const version = { variants: [{ artifact: artifactName(sha256Of(addingModel(3))) }] };
    const request = { parent: "models/m", version, allowMissingModel: true, allowMissingArtifacts: true };
    for (const requestId of ["a", "b"]) await registry.unary("CreateVersion", { ...request, requestId, noWait: true });
    const fault = await faultOf(registry.unary("CreateVersion", { ...request, requestId: "c", noWait: true }));
    expect(fault).to.include({ code: status.RESOURCE_EXHAUSTED, reason: "QUEUE_FULL" });
    expect(fault.message).to.equal("2 variants wait for their artifacts; needed: less than 2");
    expect(await publish(registry, "m", linearModel())).to.include({ state: "VERSION_STATE_READY" });
    await upload(registry, addingModel(3));
    await registry.unary("CreateVersion", { ...request, requestId: "c" }, { timeoutMs: 10_000 });
  });

  it("any number of models: of the outcomes by content, it keeps the newest", async () => {
    const clock = new ManualClock();
    const { registry } = await own.start({ AMAAS_VALIDATIONS_KEPT_MAX: "1" }, clock);
    const isKnown = async (bytes: Uint8Array) => {
      const artifact = await upload(registry, bytes);
      const request = { parent: "models/m", version: { variants: [{ artifact }] }, noWait: true };
      return (await registry.unary("CreateVersion", request)).state === "VERSION_STATE_READY";
    };
    for (const addend of [1, 2, 3]) {
      await publish(registry, "m", addingModel(addend));
      clock.advance(1000);
    }
    clock.advance(60_000);
    // It goes in the background.
    for (const endMs = Date.now() + 10_000; Date.now() < endMs && (await isKnown(addingModel(1))); );
    expect(await isKnown(addingModel(2))).to.equal(false);
    expect(await isKnown(addingModel(3))).to.equal(true);
  });

  it("uploads that never come: after a time, the version is rejected", async () => {
    const clock = new ManualClock();
    const { registry } = await own.start({ AMAAS_VERSION_INCOMPLETE_AGE_MAX_MS: "100000" }, clock);
    const artifact = artifactName(sha256Of(addingModel(3)));
    const request = { parent: "models/m", version: { variants: [{ artifact }] }, allowMissingModel: true };
    const { name } = await registry.unary("CreateVersion", { ...request, allowMissingArtifacts: true });
    const changes = new Inbox(registry.serverStream("WatchCatalogue", { resource: name }));
    await changes.until("creation", () => changes.messages.length === 1);
    clock.advance(60_000);
    await registry.unary("CreateVersion", { ...request, allowMissingArtifacts: true });
    clock.advance(60_000);
    const rejected = await changes.until("refusal", () => changes.messages[1]);
    expect(rejected).to.include({ principal: "registry", call: "ExpireVersion" });
    expect(rejected.after!.version).to.include({
      state: "VERSION_STATE_REJECTED",
      stateReason: "it was not complete and validated within 100 s",
    });
    expect(await registry.unary("GetVersion", { name: "models/m/versions/2" })).to.include({
      state: "VERSION_STATE_UPLOADING",
    });
  });
});
