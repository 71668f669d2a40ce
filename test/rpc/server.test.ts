import { once } from "node:events";
import { connect } from "node:http2";
import { Client, credentials, status } from "@grpc/grpc-js";
import { expect } from "chai";
import { messageOf, ServiceError } from "../../lib/errors.ts";
import type {
  ControlServiceDefinition,
  ControlServiceHandlers,
} from "../../lib/gen/amaas/registry/v1/ControlService.ts";
import type {
  RegistryServiceDefinition,
  RegistryServiceHandlers,
} from "../../lib/gen/amaas/registry/v1/RegistryService.ts";
import { createLog, type Log, logLevels } from "../../lib/log.ts";
import { RpcClient } from "../../lib/rpc/client.ts";
import { RpcServer } from "../../lib/rpc/server.ts";
import { remoteFaultOf } from "../../lib/rpc/status.ts";

const service = "amaas.registry.v1.RegistryService";
const silent = createLog("test", "silent");

interface Line {
  readonly message: string;
  readonly fields: Readonly<Record<string, unknown>>;
}

function recordingLog(lines: Line[], levels: ReadonlySet<string>): Log {
  const record = (fields: object, message: string) => void lines.push({ fields: { ...fields }, message });
  const log: Log = {
    error: record,
    warn: record,
    info: record,
    debug: record,
    isLevelEnabled: (level) => levels.has(level),
    child: () => log,
  };
  return log;
}

describe("an rpc server", () => {
  let server: RpcServer;
  let client: RpcClient<RegistryServiceDefinition>;
  let port: number;
  let lines: Line[];
  let levels: Set<string>;

  beforeEach(async () => {
    lines = [];
    levels = new Set(logLevels);
    const config = { host: "127.0.0.1", port: 0, messageBytesMax: 64 * 1024, drainTimeoutMs: 2000 };
    server = new RpcServer(config, recordingLog(lines, levels));
    const quiet = ["ListModels"];
    server.implement<RegistryServiceHandlers>(
      service,
      {
        GetModel: ({ name }, call) => {
          if (name === "models/broken") throw new Error("a secret");
          if (name === "models/slow") {
            return new Promise((_, end) => call.signal.addEventListener("abort", () => end(new Error("given up"))));
          }
          if (name === "models/odd") return { name, updateTime: "yesterday" } as never;
          if (name === "models/busy") throw new ServiceError("QUEUE_FULL", "the queue is full", { retryDelayMs: 1500 });
          if (name === "models/long")
            throw new ServiceError("REQUEST_INVALID", "é".repeat(9000), { metadata: { seen: "é".repeat(9000) } });
          if (name === "") throw new ServiceError("REQUEST_INVALID", "name is empty", { metadata: { field: "name" } });
          return { name, owner: call.requestId };
        },
        ListModels: ({ pageSize }) => {
          if (pageSize > 0) throw new ServiceError("REQUEST_INVALID", "no pages");
          return {};
        },
        UploadArtifact: async (requests) => {
          let sizeBytes = 0;
          for await (const request of requests) sizeBytes += request.chunk?.length ?? 0;
          return { sizeBytes };
        },
        DownloadArtifact: async function* ({ offset }) {
          for (let i = 0; i < offset; i++) yield { chunk: Buffer.alloc(1000, i) };
        },
      },
      quiet,
    );
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

  it("answers a reply that is not a message of the method's type with INTERNAL, and logs why", async () => {
    const fault = await failure(client.unary("GetModel", { name: "models/odd" }, { requestId: "my-id" }));
    expect(fault).to.include({ code: status.INTERNAL, reason: "INTERNAL" });
    expect(lines[0]).to.have.property("message", "call failed");
    expect(lines[0]!.fields).to.include({ requestId: "my-id" });
  });

  it("logs a quiet call at debug level only, and its failure all the same", async () => {
    levels.delete("debug");
    await client.unary("ListModels", {}, { requestId: "my-id" });
    expect(lines).to.deep.equal([]);
    await failure(client.unary("ListModels", { pageSize: 1 }, { requestId: "my-id" }));
    expect(lines[0]!.fields).to.include({ requestId: "my-id", reason: "REQUEST_INVALID" });
  });

  it("lets a caller have more on its way than it reads at once, per call and per connection", async () => {
    const session = connect(`http://127.0.0.1:${port}`);
    await once(session, "remoteSettings");
    expect(session.remoteSettings.initialWindowSize).to.equal(4 * 1024 ** 2);
    while (session.state.remoteWindowSize! < 4 * 1024 ** 2) await new Promise((resume) => setTimeout(resume, 5));
    session.close();
  });

  it("says where it cannot listen, and why", async () => {
    const config = { host: "127.0.0.1", port, messageBytesMax: 1024, drainTimeoutMs: 100 };
    const failure = await new RpcServer(config, silent).start().then(() => "it listens", messageOf);
    expect(failure).to.match(new RegExp(`^cannot listen on 127\\.0\\.0\\.1, port ${port}: .*EADDRINUSE`));
  });

  it("answers methods without a handler with UNIMPLEMENTED", async () => {
    expect((await failure(client.unary("ListVersions", {}))).code).to.equal(status.UNIMPLEMENTED);
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

  it("sends the status of a stream that fails after a reply, while the next request is still waited for", async () => {
    const ours = new RpcServer({ host: "127.0.0.1", port: 0, messageBytesMax: 1024, drainTimeoutMs: 2000 }, silent);
    ours.implement<ControlServiceHandlers>("amaas.registry.v1.ControlService", {
      ConnectNode: async function* (requests) {
        const iterator = requests[Symbol.asyncIterator]();
        await iterator.next();
        void iterator.next();
        yield { heartbeatIntervalMs: 1 };
        throw new ServiceError("QUEUE_FULL", "the queue is full");
      },
    });
    const address = `127.0.0.1:${await ours.start()}`;
    const control = new RpcClient<ControlServiceDefinition>("amaas.registry.v1.ControlService", address);
    const stream = control.duplex("ConnectNode");
    await stream.write({});
    const replies = stream.replies[Symbol.asyncIterator]();
    expect((await replies.next()).value.heartbeatIntervalMs).to.equal(1);
    expect(await failure(replies.next())).to.include({ reason: "QUEUE_FULL" });
    control.close();
    await ours.stop();
  });
});
