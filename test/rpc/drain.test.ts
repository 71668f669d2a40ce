import { once } from "node:events";
import { Client, credentials, status } from "@grpc/grpc-js";
import { expect } from "chai";
import type {
  RegistryServiceDefinition,
  RegistryServiceHandlers,
} from "../../lib/gen/amaas/registry/v1/RegistryService.ts";
import { createLog } from "../../lib/log.ts";
import { RpcClient } from "../../lib/rpc/client.ts";
import { RpcServer } from "../../lib/rpc/server.ts";
import { remoteFaultOf } from "../../lib/rpc/status.ts";

const service = "amaas.registry.v1.RegistryService";

describe("an rpc server, of its health and its drain,", () => {
  let server: RpcServer;
  let client: RpcClient<RegistryServiceDefinition>;
  let port: number;

  beforeEach(async () => {
    const config = { host: "127.0.0.1", port: 0, messageBytesMax: 64 * 1024, drainTimeoutMs: 2000 };
    server = new RpcServer(config, createLog("test", "silent"));
    server.implement<RegistryServiceHandlers>(service, {
      GetModel: ({ name }) => ({ name }),
      DownloadArtifact: async function* (_, call) {
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

  it("answers a reflection stream with a malformed request behind a good one, and says whose fault it is", async () => {
    const channel = new Client(`127.0.0.1:${port}`, credentials.createInsecure());
    const asBytes = (bytes: Buffer) => bytes;
    for (const version of ["v1", "v1alpha"]) {
      const path = `/grpc.reflection.${version}.ServerReflection/ServerReflectionInfo`;
      const stream = channel.makeBidiStreamRequest(path, asBytes, asBytes);
      const ended = new Promise<{ readonly code: number }>((resolve) => stream.once("status", resolve));
      stream.on("error", () => undefined);
      stream.on("data", () => undefined);
      // list_services, then a field of a wire type that there is not
      stream.write(Buffer.from([0x3a, 0x00]));
      stream.write(Buffer.from([0x07]));
      stream.end();
      expect((await ended).code).to.equal(status.INVALID_ARGUMENT);
    }
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
