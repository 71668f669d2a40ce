import { once } from "node:events";
import { Client, credentials, status } from "@grpc/grpc-js";
import { expect } from "chai";
import { ServiceError } from "../../lib/errors.ts";
import type {
  ControlServiceDefinition,
  ControlServiceHandlers,
} from "../../lib/gen/amaas/registry/v1/ControlService.ts";
import type {
  RegistryServiceDefinition,
  RegistryServiceHandlers,
} from "../../lib/gen/amaas/registry/v1/RegistryService.ts";
import { createLog, type Log } from "../../lib/log.ts";
import { RpcClient } from "../../lib/rpc/client.ts";
import { RpcServer } from "../../lib/rpc/server.ts";
import { remoteFaultOf } from "../../lib/rpc/status.ts";

const service = "amaas.registry.v1.RegistryService";
const silent = createLog("test", "silent");

interface Line {
  readonly message: string;
  readonly fields: Readonly<Record<string, unknown>>;
}

function recordingLog(lines: Line[]): Log {
  const record = (fields: object, message: string) => void lines.push({ fields: { ...fields }, message });
  const log: Log = { error: record, warn: record, info: record, debug: record, child: () => log };
  return log;
}

describe("an rpc server", () => {
  let server: RpcServer;
  let client: RpcClient<RegistryServiceDefinition>;
  let port: number;
  let lines: Line[];

  beforeEach(async () => {
    lines = [];
    const config = { host: "127.0.0.1", port: 0, messageBytesMax: 64 * 1024, drainTimeoutMs: 2000 };
    server = new RpcServer(config, recordingLog(lines));
    server.implement<RegistryServiceHandlers>(service, {
      GetModel: ({ name }, call) => {
        if (name === "models/broken") throw new Error("a secret");
        if (name === "models/slow") {
          return new Promise((_, end) => call.signal.addEventListener("abort", () => end(new Error("given up"))));
        }
        if (name === "models/busy") throw new ServiceError("QUEUE_FULL", "the queue is full", { retryDelayMs: 1500 });
        if (name === "models/long")
          throw new ServiceError("REQUEST_INVALID", "é".repeat(9000), { metadata: { seen: "é".repeat(9000) } });
        if (name === "") throw new ServiceError("REQUEST_INVALID", "name is empty", { metadata: { field: "name" } });
        return { name, owner: call.requestId };
      },
      UploadArtifact: async (requests) => {
        let sizeBytes = 0;
        for await (const request of requests) sizeBytes += request.chunk?.length ?? 0;
        return { sizeBytes };
      },
      DownloadArtifact: async function* ({ offset }, call) {
        for (let i = 0; i < offset; i++) yield { chunk: Buffer.alloc(1000, i) };
        if (offset === 0)
          await new Promise((_, end) => call.draining.addEventListener("abort", () => end(call.draining.reason)));
      },
    });
    port = await server.start();
    client = new RpcClient(service, `127.0.0.1:${port}`);
  });

  afterEach(async () => {
    client.close();
    await server.stop();
  });

  const failure = (call: Promise<unknown>) => call.then(() => expect.fail("the call succeeded"), remoteFaultOf);

  it("keeps the request id that the caller sends", async () => {
    const model = await client.unary("GetModel", { name: "models/a" }, { requestId: "my-id" });
    expect(model).to.include({ name: "models/a", owner: "my-id" });
  });

  it("makes a request id where the caller sends none or an unprintable one", async () => {
    const model = await client.unary("GetModel", { name: "models/a" }, { requestId: "x".repeat(200) });
    expect(model.owner).to.match(/^[0-9a-f-]{36}$/);
  });

  it("sends a fault with its status, its reason and the values that it names", async () => {
    const fault = await failure(client.unary("GetModel", {}));
    expect(fault).to.deep.equal({
      code: status.INVALID_ARGUMENT,
      message: "name is empty",
      reason: "REQUEST_INVALID",
      metadata: { field: "name" },
    });
  });

  it("logs a refusal with its own reason", async () => {
    await failure(client.unary("GetModel", {}, { requestId: "my-id" }));
    await failure(client.unary("GetModel", { name: "models/busy" }));
    const refusals = lines.map(({ message, fields }) => ({ message, reason: fields.reason }));
    expect(refusals).to.deep.equal([
      { message: "call refused", reason: "REQUEST_INVALID" },
      { message: "call refused", reason: "QUEUE_FULL" },
    ]);
    expect(lines[0]!.fields).to.include({ requestId: "my-id", detail: "name is empty" });
  });

  it("logs a call that its caller gave up as cancelled", async () => {
    await failure(client.unary("GetModel", { name: "models/slow" }, { timeoutMs: 50 }));
    while (lines.length === 0) await new Promise((resume) => setTimeout(resume, 5));
    expect(lines[0]).to.have.property("message", "call refused");
    expect(lines[0]!.fields).to.include({ reason: "CANCELLED" });
  });

  it("shortens what it echoes, so that every client takes the trailers", async () => {
    const fault = await failure(client.unary("GetModel", { name: "models/long" }));
    expect(fault.code).to.equal(status.INVALID_ARGUMENT);
    expect(fault.message).to.have.length(1000).and.match(/…$/);
    expect(fault.metadata.seen).to.have.length(200);
  });

  it("answers an unforeseen exception with INTERNAL and without its text", async () => {
    const fault = await failure(client.unary("GetModel", { name: "models/broken" }));
    expect(fault.code).to.equal(status.INTERNAL);
    expect(fault.message).not.to.contain("secret");
  });

  it("answers bytes that are not the method's message with INVALID_ARGUMENT, then the next call works", async () => {
    const wire = { requestSerialize: () => Buffer.from([0xff, 0xff, 0xff]) };
    const raw = new RpcClient<RegistryServiceDefinition>(service, `127.0.0.1:${port}`);
    const channel = new Client(`127.0.0.1:${port}`, credentials.createInsecure());
    const fault = await failure(
      new Promise((resolve, reject) =>
        channel.makeUnaryRequest(
          `/${service}/GetModel`,
          wire.requestSerialize,
          (b) => b,
          null,
          (e, r) => (e ? reject(e) : resolve(r)),
        ),
      ),
    );
    expect(fault).to.include({ code: status.INVALID_ARGUMENT, reason: "REQUEST_INVALID" });
    expect((await raw.unary("GetModel", { name: "models/a" })).name).to.equal("models/a");
    channel.close();
    raw.close();
  });

  it("answers methods without a handler with UNIMPLEMENTED", async () => {
    expect((await failure(client.unary("ListModels", {}))).code).to.equal(status.UNIMPLEMENTED);
  });

  it("refuses a message above the limit and says the limit", async () => {
    const fault = await failure(client.unary("GetModel", { name: "x".repeat(70_000) }));
    expect(fault.code).to.equal(status.RESOURCE_EXHAUSTED);
    expect(fault.message).to.contain("65536");
  });

  it("counts the bytes of an upload stream", async () => {
    const chunks = Array.from({ length: 300 }, () => ({ chunk: Buffer.alloc(10_000) }));
    expect((await client.clientStream("UploadArtifact", chunks)).sizeBytes).to.equal(3_000_000);
  });

  it("streams replies in order", async () => {
    const seen: number[] = [];
    for await (const { chunk } of client.serverStream("DownloadArtifact", { offset: 200 })) seen.push(chunk[0]!);
    expect(seen).to.deep.equal(Array.from({ length: 200 }, (_, i) => i));
  });

  it("goes on with replies when the caller has no more requests", async () => {
    const ours = new RpcServer({ host: "127.0.0.1", port: 0, messageBytesMax: 1024, drainTimeoutMs: 2000 }, silent);
    ours.implement<ControlServiceHandlers>("amaas.registry.v1.ControlService", {
      ConnectNode: async function* (requests) {
        let count = 0;
        for await (const _ of requests) count++;
        for (let reply = 1; reply <= count; reply++) yield { heartbeatIntervalMs: reply };
      },
    });
    const address = `127.0.0.1:${await ours.start()}`;
    const control = new RpcClient<ControlServiceDefinition>("amaas.registry.v1.ControlService", address);
    const stream = control.duplex("ConnectNode");
    for (let request = 0; request < 3; request++) await stream.write({});
    stream.end();
    const seen: number[] = [];
    for await (const { heartbeatIntervalMs } of stream.replies) seen.push(heartbeatIntervalMs);
    expect(seen).to.deep.equal([1, 2, 3]);
    control.close();
    await ours.stop();
  });

  it("keeps a failure that comes before the replies are read, and settles writes that nobody takes", async () => {
    const ours = new RpcServer({ host: "127.0.0.1", port: 0, messageBytesMax: 1024, drainTimeoutMs: 2000 }, silent);
    // biome-ignore lint/correctness/useYield: it fails before the first message.
    const refuse = async function* () {
      throw new ServiceError("QUEUE_FULL", "the queue is full");
    };
    ours.implement<ControlServiceHandlers>("amaas.registry.v1.ControlService", { ConnectNode: refuse });
    const address = `127.0.0.1:${await ours.start()}`;
    const control = new RpcClient<ControlServiceDefinition>("amaas.registry.v1.ControlService", address);
    const stream = control.duplex("ConnectNode");
    const large = { node: { name: "x".repeat(200_000) } };
    await Promise.all(Array.from({ length: 20 }, () => stream.write(large)));
    await new Promise((resume) => setTimeout(resume, 50));
    await stream.write(large);
    expect(await failure(stream.replies[Symbol.asyncIterator]().next())).to.include({ reason: "QUEUE_FULL" });
    control.close();
    await ours.stop();
  });

  it("ends endless streams with UNAVAILABLE when it drains", async () => {
    const ended = failure(client.serverStream("DownloadArtifact", { offset: 0 }).next());
    await client.unary("GetModel", { name: "models/a" });
    await server.stop();
    expect(await ended).to.include({ code: status.UNAVAILABLE, reason: "DRAINING" });
  });

  it("tells who watches its health that it stops serving, and does not wait for them when it drains", async () => {
    const health = new RpcClient<HealthDefinition>("grpc.health.v1.Health", `127.0.0.1:${port}`);
    const watch = health.serverStream("Watch", { service });
    const unknown = health.serverStream("Watch", { service: "unheard.of" });
    expect((await watch.next()).value).to.include({ status: "SERVING" });
    expect((await unknown.next()).value).to.include({ status: "SERVICE_UNKNOWN" });
    const begin = performance.now();
    await server.stop();
    expect(performance.now() - begin).to.be.below(1000);
    expect((await watch.next()).value).to.include({ status: "NOT_SERVING" });
    expect(await failure(watch.next())).to.include({ code: status.UNAVAILABLE, reason: "DRAINING" });
    expect(await failure(unknown.next())).to.include({ reason: "DRAINING" });
    health.close();
  });

  it("does not wait for open reflection streams when it drains", async () => {
    const channel = new Client(`127.0.0.1:${port}`, credentials.createInsecure());
    const path = "/grpc.reflection.v1.ServerReflection/ServerReflectionInfo";
    const asBytes = (bytes: Buffer) => bytes;
    const stream = channel.makeBidiStreamRequest(path, asBytes, asBytes);
    const ended = new Promise<{ readonly code: number }>((resolve) => stream.once("status", resolve));
    stream.on("error", () => undefined);
    // list_services
    stream.write(Buffer.from([0x3a, 0x00]));
    await once(stream, "data");
    const begin = performance.now();
    await server.stop();
    expect(performance.now() - begin).to.be.below(1000);
    expect((await ended).code).to.equal(status.UNAVAILABLE);
    channel.close();
  });

  it("says of a service that it does not have that it is not found", async () => {
    const health = new RpcClient<HealthDefinition>("grpc.health.v1.Health", `127.0.0.1:${port}`);
    const fault = await failure(health.unary("Check", { service: "unheard.of" }));
    expect(fault).to.include({ code: status.NOT_FOUND, reason: "SERVICE_UNKNOWN" });
    health.close();
  });

  it("answers health checks of the server and of each service", async () => {
    const health = new RpcClient<HealthDefinition>("grpc.health.v1.Health", `127.0.0.1:${port}`);
    expect(await health.unary("Check", { service: "" })).to.include({ status: "SERVING" });
    expect(await health.unary("Check", { service })).to.include({ status: "SERVING" });
    health.close();
  });
});

interface HealthDefinition {
  readonly Check: HealthMethod;
  readonly Watch: HealthMethod;
}

interface HealthMethod {
  readonly requestSerialize: (request: { readonly service: string }) => Buffer;
  readonly responseDeserialize: (bytes: Buffer) => { readonly status: string };
}
