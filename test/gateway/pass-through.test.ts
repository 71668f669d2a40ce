import { Client, credentials, status } from "@grpc/grpc-js";
import { expect } from "chai";
import { ServiceError } from "../../lib/errors.ts";
import type { ControlServiceDefinition } from "../../lib/gen/amaas/registry/v1/ControlService.ts";
import type { RegistryServiceDefinition } from "../../lib/gen/amaas/registry/v1/RegistryService.ts";
import type {
  TrainerServiceDefinition,
  TrainerServiceHandlers,
} from "../../lib/gen/amaas/trainer/v1/TrainerService.ts";
import { createLog } from "../../lib/log.ts";
import { RpcClient } from "../../lib/rpc/client.ts";
import { RpcServer } from "../../lib/rpc/server.ts";
import { FakeRegistry } from "./fake-registry.ts";
import { emptyFolder, faultOf, Harness, nowhere } from "./harness.ts";

const chunkBytes = 64 * 1024;

describe("the gateway, for registry and trainer,", () => {
  let folder: Awaited<ReturnType<typeof emptyFolder>>;
  let trainer: RpcServer;
  let fake: FakeRegistry;
  let gateway: Harness;
  let registry: RpcClient<RegistryServiceDefinition>;
  let jobs: RpcClient<TrainerServiceDefinition>;
  let seen: { requestId: string; deadlineMs: number; signal: AbortSignal } | undefined;
  let chunksMade = 0;
  let chunksTaken = 0;
  let mayTake: Promise<void> = Promise.resolve();

  beforeEach(async () => {
    folder = await emptyFolder();
    chunksMade = 0;
    chunksTaken = 0;
    fake = await new FakeRegistry([], {
      ListModels: (request, call) => {
        seen = call;
        return { models: [{ name: "models/a" }], nextPageToken: String(request.pageSize) };
      },
      GetModel: ({ name }) => {
        throw new ServiceError("MODEL_NOT_FOUND", `there is no ${name}`, { metadata: { name } });
      },
      UploadArtifact: async (requests) => {
        for await (const { chunk } of requests) {
          await mayTake;
          chunksTaken += chunk ? 1 : 0;
        }
        return { sizeBytes: chunksTaken * chunkBytes };
      },
      DownloadArtifact: async function* ({ offset }) {
        while (chunksMade < offset) yield { chunk: Buffer.alloc(chunkBytes, chunksMade++ % 251) };
      },
    }).start();
    trainer = new RpcServer(
      { host: "127.0.0.1", port: 0, messageBytesMax: 1024 ** 2, drainTimeoutMs: 0 },
      createLog("trainer", "silent"),
    );
    trainer.implement<TrainerServiceHandlers>("amaas.trainer.v1.TrainerService", {
      WatchJob: async function* (_, call) {
        seen = call;
        yield { sequence: 1 };
        await new Promise((resolve) => call.signal.addEventListener("abort", resolve));
      },
    });
    gateway = await Harness.start({
      AMAAS_DATA_DIR: folder.path,
      AMAAS_REGISTRY_ADDRESS: fake.address,
      AMAAS_TRAINER_ADDRESS: `127.0.0.1:${await trainer.start()}`,
    });
    registry = new RpcClient("amaas.registry.v1.RegistryService", gateway.address);
    jobs = new RpcClient("amaas.trainer.v1.TrainerService", gateway.address);
  });

  afterEach(async () => {
    registry.close();
    jobs.close();
    await gateway.stop();
    await Promise.all([fake.stop(), trainer.stop()]);
    await folder.remove();
  });

  it("passes an empty request, its id and its deadline, and answers with the reply", async () => {
    const reply = await registry.unary("ListModels", {}, { requestId: "my-id", timeoutMs: 5000 });
    expect(reply.models.map(({ name }) => name)).to.deep.equal(["models/a"]);
    expect(seen!.requestId).to.equal("my-id");
    expect(seen!.deadlineMs - Date.now()).to.be.within(3000, 5000);
  });

  it("passes errors with their details", async () => {
    expect(await faultOf(registry.unary("GetModel", { name: "models/b" }))).to.deep.equal({
      code: status.NOT_FOUND,
      message: "there is no models/b",
      reason: "MODEL_NOT_FOUND",
      metadata: { name: "models/b" },
    });
  });

  it("answers methods that the service does not have with its UNIMPLEMENTED", async () => {
    expect((await faultOf(registry.unary("ListNodes", {}))).code).to.equal(status.UNIMPLEMENTED);
  });

  it("passes a download in order, at the speed of a slow reader and with bounded memory", async () => {
    const total = 800;
    const download = registry.serverStream("DownloadArtifact", { offset: total });
    const first = await download.next();
    expect(first.value!.chunk[0]).to.equal(0);
    await standstill(() => chunksMade);
    // Two flow-control windows of 4 MiB, what the streams hold, and what the sockets do.
    expect(chunksMade * chunkBytes).to.be.below(24 * 1024 ** 2);
    let index = 1;
    for await (const { chunk } of download) {
      if (chunk.length !== chunkBytes || chunk[0] !== index % 251) expect.fail(`chunk ${index} is wrong`);
      index++;
    }
    expect(index).to.equal(total);
  });

  it("passes an upload at the speed of a slow service and with bounded memory", async () => {
    let take = () => {};
    mayTake = new Promise((resolve) => {
      take = resolve;
    });
    let chunksSent = 0;
    const total = 800;
    const upload = registry.clientStream(
      "UploadArtifact",
      (function* () {
        while (chunksSent < total) yield { chunk: Buffer.alloc(chunkBytes, chunksSent++ % 251) };
      })(),
    );
    await standstill(() => chunksSent);
    expect(chunksSent * chunkBytes).to.be.below(24 * 1024 ** 2);
    take();
    expect((await upload).sizeBytes).to.equal(total * chunkBytes);
  });

  it("cancels a stream at the service when the caller leaves it", async () => {
    const events = jobs.serverStream("WatchJob", { name: "jobs/a" });
    await events.next();
    const { signal } = seen!;
    const cancelled = new Promise((resolve) => signal.addEventListener("abort", resolve));
    await events.return(undefined);
    await cancelled;
  });

  it("ends a stream that has no end with UNAVAILABLE when it drains", async () => {
    const events = jobs.serverStream("WatchJob", { name: "jobs/a" });
    await events.next();
    const ended = faultOf(events.next());
    await gateway.stop();
    expect(await ended).to.include({ code: status.UNAVAILABLE, reason: "DRAINING" });
  });

  it("finishes an upload that was accepted before the drain", async () => {
    let take = () => {};
    mayTake = new Promise((resolve) => {
      take = resolve;
    });
    let more = () => {};
    const gate = new Promise<void>((resolve) => {
      more = resolve;
    });
    const upload = registry.clientStream(
      "UploadArtifact",
      (async function* () {
        yield { chunk: Buffer.alloc(chunkBytes) };
        await gate;
        yield { chunk: Buffer.alloc(chunkBytes) };
      })(),
    );
    await registry.unary("ListModels", {});
    const stopped = gateway.stop();
    more();
    take();
    expect((await upload).sizeBytes).to.equal(2 * chunkBytes);
    await stopped;
  });

  it("answers UNAVAILABLE at once, with who is missing, while a service is down", async () => {
    await trainer.stop();
    const begin = performance.now();
    for (let i = 0; i < 10; i++) {
      const fault = await faultOf(jobs.unary("ListJobs", {}));
      expect(fault).to.include({ code: status.UNAVAILABLE, reason: "SERVICE_UNAVAILABLE" });
      expect(fault.message).to.match(/^the trainer at 127\.0\.0\.1:\d+ does not answer: .*ECONNREFUSED/);
    }
    expect(performance.now() - begin).to.be.below(2000);
  });

  it("answers malformed bytes with the service's own refusal", async () => {
    const fault = await faultOf(
      gateway.client.unary("/amaas.registry.v1.RegistryService/ListModels", Buffer.from([255])),
    );
    expect(fault).to.include({ code: status.INVALID_ARGUMENT, reason: "REQUEST_INVALID" });
  });

  it("refuses the control plane", async () => {
    const control = new RpcClient<ControlServiceDefinition>("amaas.registry.v1.ControlService", gateway.address);
    const fault = await faultOf(control.serverStream("WatchRoutes", {}).next());
    expect(fault).to.include({ code: status.PERMISSION_DENIED, reason: "METHOD_INTERNAL" });
    expect(fault.message).to.equal("ControlService is answered by the registry only, at its own address");
    const connect = control.duplex("ConnectNode");
    expect((await faultOf(connect.replies[Symbol.asyncIterator]().next())).code).to.equal(status.PERMISSION_DENIED);
    control.close();
  });

  it("refuses calls above its limit and takes them again afterwards", async () => {
    const small = await Harness.start({
      AMAAS_DATA_DIR: folder.path,
      AMAAS_REGISTRY_ADDRESS: fake.address,
      AMAAS_TRAINER_ADDRESS: nowhere,
      AMAAS_GATEWAY_CALLS_MAX: "1",
    });
    const client = new RpcClient<RegistryServiceDefinition>("amaas.registry.v1.RegistryService", small.address);
    const download = client.serverStream("DownloadArtifact", { offset: 2000 });
    await download.next();
    const fault = await faultOf(client.unary("ListModels", {}));
    expect(fault).to.include({ code: status.RESOURCE_EXHAUSTED, reason: "QUEUE_FULL" });
    await download.return(undefined);
    for (;;) {
      const code = await client.unary("ListModels", {}).then(
        () => status.OK,
        (failure) => failure.code,
      );
      if (code === status.OK) break;
    }
    client.close();
    await small.stop();
  });

  for (const version of ["v1", "v1alpha"]) {
    it(`lists every service of the suite by reflection ${version}`, async () => {
      const client = new Client(gateway.address, credentials.createInsecure());
      const call = client.makeBidiStreamRequest<Buffer, Buffer>(
        `/grpc.reflection.${version}.ServerReflection/ServerReflectionInfo`,
        (bytes) => bytes,
        (bytes) => bytes,
      );
      // list_services, field 7, with any text.
      call.end(Buffer.from([0x3a, 1, 0x2a]));
      const replies: Buffer[] = [];
      for await (const reply of call) replies.push(reply as Buffer);
      client.close();
      for (const service of [
        "amaas.registry.v1.RegistryService",
        "amaas.registry.v1.ControlService",
        "amaas.trainer.v1.TrainerService",
        "inference.GRPCInferenceService",
        "grpc.health.v1.Health",
      ]) {
        expect(Buffer.concat(replies).toString("latin1")).to.contain(service);
      }
    });
  }
});

/** Settles once a count has stopped growing. */
async function standstill(count: () => number): Promise<void> {
  for (let same = 0, last = -1; same < 20; ) {
    await new Promise((resolve) => setTimeout(resolve, 10));
    same = count() === last ? same + 1 : 0;
    last = count();
  }
}
