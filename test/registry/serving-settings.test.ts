import { status } from "@grpc/grpc-js";
import { expect } from "chai";
import type { ServingSettings } from "../../lib/gen/amaas/registry/v1/ServingSettings.ts";
import { catalogueStores } from "./catalogue-stores.ts";
import { addingModel } from "./onnx-files.ts";
import { emptyFolder, faultOf, publish, type RunningRegistry, startRegistry } from "./running-registry.ts";

for (const store of catalogueStores) {
  describe(`serving settings (${store.name})`, () => {
    let folder: Awaited<ReturnType<typeof emptyFolder>>;
    let running: RunningRegistry;

    before(async function () {
      this.timeout(60_000);
      folder = await emptyFolder();
      running = await startRegistry(folder.path, await store.settings());
    });

    after(async () => {
      await running.stop();
      await folder.remove();
    });

    let count = 0;
    /** A model of its own for every test. */
    const newModel = async () => {
      const modelId = `m${++count}`;
      await running.registry.unary("CreateModel", { modelId });
      return { model: `models/${modelId}`, name: `models/${modelId}/servingSettings` };
    };
    const get = (of: string) => running.registry.unary("GetServingSettings", { name: of });
    const update = (settings: ServingSettings, reason = "") =>
      running.registry.unary("UpdateServingSettings", { settings, reason }, { metadata: { "amaas-principal": "ann" } });

    it("are revision 0 where nobody has set anything, and are set for one of two writers that read that", async () => {
      const model = await newModel();
      const unset = await get(model.name);
      expect(unset).to.include({ name: model.name, revision: 0, replicas: 0 });
      await update({ name: model.name, etag: unset.etag, replicas: 1 });
      const fault = await faultOf(update({ name: model.name, etag: unset.etag, replicas: 2 }));
      expect(fault).to.include({ code: status.ABORTED, reason: "ETAG_MISMATCH" });
      expect(await faultOf(update({ ...(await newModel()), etag: "another" }))).to.include({ reason: "ETAG_MISMATCH" });
    });

    it("are answered as they were set, with who, when and why", async () => {
      const model = await newModel();
      const settings: ServingSettings = {
        name: model.name,
        versionPolicy: { latest: 2 },
        replicas: 3,
        memoryBytes: 5_000_000_000,
        executionProviders: ["cuda", "cpu"],
        precisions: ["int8"],
        instanceGroups: [{ executionProvider: "cpu", count: 2, intraOpThreads: 4 }],
        dynamicBatching: {
          maxBatchSize: 32,
          preferredBatchSizes: [8, 32],
          maxQueueDelayMicroseconds: 500,
          preserveOrdering: true,
          priorityLevels: 2,
          defaultPriorityLevel: 2,
          defaultQueuePolicy: { timeoutAction: "TIMEOUT_ACTION_DELAY", maxQueueSize: 10 },
          priorityQueuePolicies: { 1: { defaultTimeoutMicroseconds: 1000, allowTimeoutOverride: true } },
        },
        warmUps: [{ kind: "KIND_RANDOM", rows: 8, count: 3 }],
        limits: { queueRequestsMax: 100, queueRowsMax: 1000, queueBytesMax: 1_000_000, defaultTimeoutMs: 250 },
      };
      const set = await update(settings, "more load");
      const { replicas, memoryBytes, executionProviders, precisions, instanceGroups, limits } = settings;
      expect(set).to.deep.include({ replicas, memoryBytes, executionProviders, precisions, instanceGroups, limits });
      expect(set).to.include({ revision: 1, principal: "ann", reason: "more load" });
      expect(set.updateTime!.seconds).to.be.above(0);
      expect(set.dynamicBatching!.priorityQueuePolicies[1]).to.include({ defaultTimeoutMicroseconds: 1000 });
      expect(set.versionPolicy).to.include({ choice: "latest", latest: 2 });
      expect(await get(model.name)).to.deep.equal(set);
    });

    it("of stateful and decoupled models, and warm-ups with data, are answered to the byte", async () => {
      const model = await newModel();
      const bytes = Buffer.from([0, 255, 128, 7]);
      const settings: ServingSettings = {
        name: model.name,
        sequenceBatching: {
          states: [{ inputName: "h", outputName: "h_next", initialShape: [-1, 4], initialRaw: bytes }],
          maxSequences: 10,
          maxSequenceIdleMicroseconds: 5_000_000,
        },
        decoupled: {
          lastOutput: "done",
          maxResponses: 32,
          feedbacks: [{ outputName: "token", inputName: "input_ids" }],
        },
        residency: "RESIDENCY_ON_DEMAND",
        isolation: "ISOLATION_PROCESS",
        warmUps: [{ kind: "KIND_RANDOM", rows: 2, inputs: [{ name: "x", shape: [1, 1], raw: bytes }] }],
      };
      const set = await update(settings);
      expect(set.sequenceBatching).to.deep.equal(settings.sequenceBatching);
      expect(set.decoupled).to.deep.equal(settings.decoupled);
      expect([set.residency, set.isolation]).to.deep.equal(["RESIDENCY_ON_DEMAND", "ISOLATION_PROCESS"]);
      expect(set.warmUps[0]!.inputs).to.deep.equal(settings.warmUps![0]!.inputs);
      expect(await get(model.name)).to.deep.equal(set);
    });

    it("say how gateways route calls, and are kept with the revisions", async () => {
      const model = await newModel();
      const traffic = {
        defaultTimeoutMs: 86_400_000,
        stickyKey: "x-user_id.v2",
        versionOverride: true,
        hedging: { quantile: 0.999, delayMsMin: 60_000 },
        perPrincipal: {
          requestsPerSecond: 0.5,
          concurrentRequests: 1_000_000,
          rowsPerSecond: 1e12,
          bytesPerSecond: 1e15,
        },
        total: { requestsPerSecond: 1e9, concurrentRequests: 0, rowsPerSecond: 0, bytesPerSecond: 0.001 },
      };
      expect((await update({ name: model.name, traffic })).traffic).to.deep.equal(traffic);
      const unset = { defaultTimeoutMs: 0, stickyKey: "", versionOverride: false, hedging: null };
      const empty = { ...unset, perPrincipal: null, total: null };
      expect((await update({ name: model.name, traffic: {} })).traffic).to.deep.equal(empty);
      expect((await update({ name: model.name })).traffic).to.equal(null);
      const { revisions } = await running.registry.unary("ListServingSettingsRevisions", { name: model.name });
      expect(revisions.map((revision) => revision.traffic)).to.deep.equal([null, empty, traffic]);
      const back = await running.registry.unary("RollbackServingSettings", { name: model.name, revision: 1 });
      expect(back.traffic).to.deep.equal(traffic);
    });

    it("that are set again as they are make no new revision; others do, and all are kept, newest first", async () => {
      const model = await newModel();
      const first = await update({ name: model.name, replicas: 1 });
      expect(await update({ name: model.name, replicas: 1 }, "again")).to.deep.equal(first);
      for (const replicas of [2, 3]) await update({ name: model.name, replicas });
      const page = await running.registry.unary("ListServingSettingsRevisions", { name: model.name, pageSize: 2 });
      expect(page.revisions.map(({ revision, replicas }) => [revision, replicas])).to.deep.equal([
        [3, 3],
        [2, 2],
      ]);
      const rest = { name: model.name, pageSize: 2, pageToken: page.nextPageToken };
      const last = await running.registry.unary("ListServingSettingsRevisions", rest);
      expect(last.revisions).to.deep.equal([first]);
      expect(last.nextPageToken).to.equal("");
    });

    it("go back to any revision, as a new one", async () => {
      const model = await newModel();
      for (const replicas of [1, 2, 3]) await update({ name: model.name, replicas });
      const rollback = (revision: number) =>
        running.registry.unary("RollbackServingSettings", { name: model.name, revision, reason: "too many" });
      expect(await rollback(0)).to.include({ revision: 4, replicas: 2, reason: "too many" });
      expect(await rollback(1)).to.include({ revision: 5, replicas: 1 });
      const fault = await faultOf(rollback(9));
      expect(fault).to.include({ code: status.NOT_FOUND, reason: "REVISION_NOT_FOUND" });
      expect(fault.message).to.contain("5, 4, 3, 2, 1");
    });

    it("change only with the current etag where one is given, and one of two writers wins", async () => {
      const model = await newModel();
      const { etag } = await update({ name: model.name, replicas: 1 });
      const changes = [2, 3].map((replicas) => update({ name: model.name, replicas, etag }));
      const outcomes = await Promise.allSettled(changes);
      expect(outcomes.map((outcome) => outcome.status)).to.have.members(["fulfilled", "rejected"]);
      const loser = changes[outcomes.findIndex((outcome) => outcome.status === "rejected")]!;
      const fault = await faultOf(loser);
      expect(fault).to.include({ code: status.ABORTED, reason: "ETAG_MISMATCH" });
      expect(fault.metadata.etag).to.equal((await get(model.name)).etag);
    });

    it("may name only versions that are there", async () => {
      const model = await newModel();
      await publish(running.registry, `m${count}`, addingModel(1));
      const specific = (versions: number[]) => update({ name: model.name, versionPolicy: { specific: { versions } } });
      expect((await specific([1])).versionPolicy).to.deep.include({ choice: "specific", specific: { versions: [1] } });
      expect(await faultOf(specific([1, 2]))).to.include({ code: status.NOT_FOUND, reason: "VERSION_NOT_FOUND" });
    });

    const refused: readonly (readonly [string, Partial<ServingSettings>])[] = [
      ["settings.replicas", { replicas: 1001 }],
      ["settings.memory_bytes", { memoryBytes: -1 }],
      ["settings.execution_providers[1]", { executionProviders: ["cpu", "cpu"] }],
      ["settings.precisions[0]", { precisions: [""] }],
      ["settings.precisions[1]", { precisions: ["int8", "x".repeat(65)] }],
      ["settings.instance_groups[0].count", { instanceGroups: [{ count: 0 }] }],
      [
        "settings.instance_groups[1].intra_op_threads",
        { instanceGroups: [{ count: 1 }, { count: 1, intraOpThreads: -1 }] },
      ],
      ["settings.version_policy.latest", { versionPolicy: { latest: 1001 } }],
      ["settings.version_policy.specific.versions[0]", { versionPolicy: { specific: { versions: [0] } } }],
      ["settings.dynamic_batching.max_batch_size", { dynamicBatching: { maxBatchSize: 65_537 } }],
      [
        "settings.dynamic_batching.preferred_batch_sizes[1]",
        { dynamicBatching: { maxBatchSize: 8, preferredBatchSizes: [8, 4] } },
      ],
      ["settings.dynamic_batching.default_priority_level", { dynamicBatching: { priorityLevels: 2 } }],
      [
        "settings.dynamic_batching.priority_queue_policies[3]",
        {
          dynamicBatching: { priorityLevels: 2, defaultPriorityLevel: 1, priorityQueuePolicies: { 3: {} } },
        },
      ],
      ["settings.warm_ups[0].rows", { warmUps: [{ rows: -1 }] }],
      ["settings.warm_ups[0].inputs[1].name", { warmUps: [{ inputs: [{ name: "x" }, { name: "x" }] }] }],
      ["settings.warm_ups.inputs.raw", { warmUps: [{ inputs: [{ name: "x", raw: Buffer.alloc(1024 ** 2 + 1) }] }] }],
      ["settings.sequence_batching.states", { sequenceBatching: {} }],
      [
        "settings.sequence_batching.states[0].initial_shape[1]",
        { sequenceBatching: { states: [{ inputName: "h", outputName: "h2", initialShape: [1, -2] }] } },
      ],
      ["settings.decoupled.max_responses", { decoupled: {} }],
      [
        "settings.decoupled.feedbacks[0].input_name",
        { decoupled: { maxResponses: 1, feedbacks: [{ outputName: "token" }] } },
      ],
      ["settings.limits.queue_bytes_max", { limits: { queueBytesMax: -5 } }],
      ["settings.traffic.default_timeout_ms", { traffic: { defaultTimeoutMs: 86_400_001 } }],
      ["settings.traffic.default_timeout_ms", { traffic: { defaultTimeoutMs: -1 } }],
      ...["User", "a b", "token-bin", "grpc-timeout", "amaas-version", "k".repeat(129)].map(
        (stickyKey) => ["settings.traffic.sticky_key", { traffic: { stickyKey } }] as const,
      ),
      ...[0.4999, 1, -1, Number.NaN, Infinity].map(
        (quantile) => ["settings.traffic.hedging.quantile", { traffic: { hedging: { quantile } } }] as const,
      ),
      ["settings.traffic.hedging.delay_ms_min", { traffic: { hedging: { delayMsMin: 60_001 } } }],
      ...[-1, 0.0009, 1.1e9, Number.NaN, Infinity].map(
        (requestsPerSecond) =>
          [
            "settings.traffic.per_principal.requests_per_second",
            { traffic: { perPrincipal: { requestsPerSecond } } },
          ] as const,
      ),
      ["settings.traffic.per_principal.rows_per_second", { traffic: { perPrincipal: { rowsPerSecond: 1.1e12 } } }],
      ["settings.traffic.total.bytes_per_second", { traffic: { total: { bytesPerSecond: 1.1e15 } } }],
      ["settings.traffic.total.concurrent_requests", { traffic: { total: { concurrentRequests: -1 } } }],
      ["settings.traffic.total.concurrent_requests", { traffic: { total: { concurrentRequests: 1_000_001 } } }],
    ];
    for (const [field, settings] of refused) {
      it(`are refused with the path ${field}`, async () => {
        const model = await newModel();
        const fault = await faultOf(update({ name: model.name, ...settings }));
        expect(fault).to.include({ code: status.INVALID_ARGUMENT, reason: "REQUEST_INVALID" });
        expect(fault.message.startsWith(`${field} is `), fault.message).to.equal(true);
        expect(await get(model.name)).to.include({ revision: 0 });
      });
    }

    it("are refused where preferred sizes descend, with the size that the second one must exceed", async () => {
      const model = await newModel();
      const dynamicBatching = { maxBatchSize: 8, preferredBatchSizes: [8, 4] };
      const { message } = await faultOf(update({ name: model.name, dynamicBatching }));
      expect(message).to.contain("preferred_batch_sizes[1] is 4; needed: more than 8, the one before it");
    });

    it("of a model that is not there or deleted are refused", async () => {
      expect(await faultOf(update({ name: "models/none/servingSettings" }))).to.include({ code: status.NOT_FOUND });
      const model = await newModel();
      await running.registry.unary("DeleteModel", { name: model.model });
      expect(await faultOf(update({ name: model.name, replicas: 1 }))).to.include({
        code: status.FAILED_PRECONDITION,
        reason: "MODEL_DELETED",
      });
    });

    it("are in the log of changes, with what was before", async () => {
      const model = await newModel();
      await update({ name: model.name, replicas: 1 });
      await update({ name: model.name, replicas: 2 });
      const { changes } = await running.registry.unary("ListChanges", { resource: model.name });
      expect(
        changes.map(({ before, after }) => [before?.servingSettings?.replicas, after?.servingSettings?.replicas]),
      ).to.deep.equal([
        [1, 2],
        [undefined, 1],
      ]);
    });
  });
}
