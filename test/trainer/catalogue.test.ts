import { createHash } from "node:crypto";
import { rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect } from "chai";
import { ServiceError } from "../../lib/errors.ts";
import type { CreateVersionRequest__Output as CreateVersionRequest } from "../../lib/gen/amaas/registry/v1/CreateVersionRequest.ts";
import type {
  RegistryServiceDefinition,
  RegistryServiceHandlers,
} from "../../lib/gen/amaas/registry/v1/RegistryService.ts";
import type { UpdateAliasRequest__Output as UpdateAliasRequest } from "../../lib/gen/amaas/registry/v1/UpdateAliasRequest.ts";
import { createLog } from "../../lib/log.ts";
import type { CallContext } from "../../lib/rpc/call-context.ts";
import { RpcClient } from "../../lib/rpc/client.ts";
import { RpcServer } from "../../lib/rpc/server.ts";
import { durationMsOf } from "../../lib/timestamp.ts";
import { Catalogue } from "../../services/trainer/catalogue.ts";

describe("the trainer's catalogue", () => {
  let server: RpcServer;
  let client: RpcClient<RegistryServiceDefinition>;
  let catalogue: Catalogue;
  /** Of every call: its method, who made it, and for which request. */
  let calls: string[];
  let created: CreateVersionRequest | undefined;
  let moved: UpdateAliasRequest | undefined;
  let held: string[];
  let refusal: ServiceError | undefined;

  const note = (method: string, { headers, requestId }: CallContext) =>
    calls.push([method, headers["amaas-principal"], requestId].join(" "));

  before(async () => {
    await writeFile(path, bytes);
    server = new RpcServer(
      { host: "127.0.0.1", port: 0, messageBytesMax: 2 ** 24, drainTimeoutMs: 0 },
      createLog("registry", "silent"),
    );
    server.implement<RegistryServiceHandlers>("amaas.registry.v1.RegistryService", {
      GetArtifact: (_, call) => {
        note("GetArtifact", call);
        return { sizeBytes: 3 };
      },
      DownloadArtifact: async function* (_, call) {
        note("DownloadArtifact", call);
        yield { chunk: Buffer.from("abc") };
      },
      UploadArtifact: async (requests, call) => {
        note("UploadArtifact", call);
        for await (const _ of requests);
        return {};
      },
      CreateVersion: (request, call) => {
        note("CreateVersion", call);
        created = request;
        if (refusal !== undefined) throw refusal;
        return { name: "models/m/versions/3" };
      },
      UpdateAlias: (request, call) => {
        note("UpdateAlias", call);
        moved = request;
        return {};
      },
      HoldResource: ({ resource, holder, duration }, call) => {
        note("HoldResource", call);
        held.push(`${resource} ${holder} ${durationMsOf(duration!)}`);
        return {};
      },
      ReleaseHold: ({ resource, holder }, call) => {
        note("ReleaseHold", call);
        held.push(`${resource} ${holder} released`);
        return {};
      },
    });
    client = new RpcClient("amaas.registry.v1.RegistryService", `127.0.0.1:${await server.start()}`);
    catalogue = new Catalogue(client, 5000, { datasetBytesMax: 1000, modelBytesMax: 2000 });
  });
  beforeEach(() => {
    calls = [];
    held = [];
    refusal = undefined;
  });
  after(async () => {
    await rm(path, { force: true });
    client.close();
    await server.stop();
  });

  const onBehalf = { requestId: "r1" };
  const bytes = Buffer.from("a model");
  const path = join(tmpdir(), `amaas-catalogue-${process.pid}`);
  const sha256 = createHash("sha256").update(bytes).digest("hex");
  const lineage = { job: "jobs/j", datasets: ["artifacts/d"], seed: 5 };
  const register = async () => {
    const artifact = await catalogue.upload(path, onBehalf);
    const version = { model: "m", artifact, metrics: { validation_accuracy: 0.5 }, lineage, card: "# m" };
    return catalogue.register({ ...version, idempotencyKey: "jobs/j" }, onBehalf);
  };

  it("makes every call as the trainer, on behalf of a request", async () => {
    const abc = createHash("sha256").update("abc").digest("hex");
    await catalogue.checkDataset(abc, onBehalf);
    for await (const _ of catalogue.download(abc, onBehalf));
    await catalogue.hold("artifacts/d", "jobs/j", 1500, onBehalf);
    await register();
    await catalogue.moveAlias("default", "models/m/versions/3", undefined, onBehalf);
    await catalogue.release("artifacts/d", "jobs/j", onBehalf);
    expect(calls).to.deep.equal(
      [
        "GetArtifact",
        "DownloadArtifact",
        "HoldResource",
        "UploadArtifact",
        "CreateVersion",
        "UpdateAlias",
        "ReleaseHold",
      ].map((method) => `${method} trainer r1`),
    );
    expect(held).to.deep.equal(["artifacts/d jobs/j 1500", "artifacts/d jobs/j released"]);
  });

  it("registers one variant with metrics and lineage, and points an alias at one version", async () => {
    expect(await register()).to.equal("models/m/versions/3");
    expect(created!.version!.variants.map(({ artifact }) => artifact)).to.deep.equal([`artifacts/${sha256}`]);
    expect(created!.version!.metrics).to.deep.equal({ validation_accuracy: 0.5 });
    expect(created!.version!.lineage).to.deep.include(lineage);
    expect(created!.version!.modelCard).to.equal("# m");
    expect(created).to.include({ requestId: "jobs/j", allowMissingModel: true, noWait: false });
    await catalogue.moveAlias("canary", "models/m/versions/3", "e7", onBehalf);
    expect(moved!.alias).to.include({ name: "models/m/aliases/canary", etag: "e7" });
    expect(moved!.alias!.targets.map(({ version }) => version)).to.deep.equal([3]);
    expect(moved!.mustNotExist).to.equal(false);
    await catalogue.moveAlias("new", "models/m/versions/3", undefined, onBehalf);
    expect(moved).to.deep.include({ allowMissing: true, mustNotExist: true });
  });

  it("takes the version that the request id has made before, of whatever bytes", async () => {
    refusal = new ServiceError("REQUEST_INVALID", "it has made version 2 of other artifacts", {
      metadata: { field: "request_id", version: "models/m/versions/2" },
    });
    expect(await register()).to.equal("models/m/versions/2");
  });

  it("fails where the version is rejected", async () => {
    refusal = new ServiceError("ARTIFACT_INVALID", "the model does not run", {
      metadata: { version: "models/m/versions/4" },
    });
    expect(await register().catch((failure) => failure)).to.include({
      reason: "ARTIFACT_INVALID",
      message: "the model does not run",
    });
  });
});
