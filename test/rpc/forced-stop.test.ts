import { once } from "node:events";
import { connect, type Socket } from "node:net";
import { expect } from "chai";
import { callFrames, flag, frame, frameType, opening, setStream } from "../../bench/harness/frames.ts";
import type {
  RegistryServiceDefinition,
  RegistryServiceHandlers,
} from "../../lib/gen/amaas/registry/v1/RegistryService.ts";
import { createLog } from "../../lib/log.ts";
import { RpcClient } from "../../lib/rpc/client.ts";
import { RpcServer } from "../../lib/rpc/server.ts";
import { remoteFaultOf } from "../../lib/rpc/status.ts";

const service = "amaas.registry.v1.RegistryService";
const drainTimeoutMs = 300;

describe("an rpc server that stops", () => {
  let server: RpcServer;
  let port: number;
  let client: RpcClient<RegistryServiceDefinition>;
  let downloads: number;
  const sockets: Socket[] = [];

  beforeEach(async () => {
    downloads = 0;
    const config = { host: "127.0.0.1", port: 0, messageBytesMax: 64 * 1024, drainTimeoutMs };
    server = new RpcServer(config, createLog("test", "silent"));
    server.implement<RegistryServiceHandlers>(service, {
      GetModel: ({ name }) => (name === "" ? new Promise<never>(() => undefined) : { name }),
      DownloadArtifact: async function* () {
        downloads++;
        yield { chunk: Buffer.alloc(60_000) };
        await new Promise<never>(() => undefined);
      },
    });
    port = await server.start();
    client = new RpcClient(service, `127.0.0.1:${port}`);
  });

  afterEach(async () => {
    client.close();
    for (const socket of sockets.splice(0)) socket.destroy();
    await server.stop();
  });

  /** A connection that sends what it is told, and neither reads nor ends by itself. */
  async function peer(bytes: Uint8Array): Promise<Socket> {
    const socket = connect({ port, host: "127.0.0.1", allowHalfOpen: true });
    socket.on("error", () => undefined);
    sockets.push(socket);
    await once(socket, "connect");
    await new Promise((sent) => socket.write(bytes, sent));
    return socket;
  }

  async function stopMs(): Promise<number> {
    const begin = performance.now();
    await server.stop();
    return performance.now() - begin;
  }

  it("ends calls whose handlers never end, once the drain time is over", async () => {
    const replies = client.serverStream("DownloadArtifact", { offset: 0 });
    await replies.next();
    const ends = [client.unary("GetModel", { name: "" }), replies.next()].map((call) =>
      call.then(() => "answered", remoteFaultOf),
    );
    expect(await stopMs()).to.be.within(drainTimeoutMs - 20, 10 * drainTimeoutMs);
    for (const end of await Promise.all(ends)) expect(end).not.to.equal("answered");
  });

  it("ends connections whose peers do not, once the drain time is over", async () => {
    const socket = await peer(opening());
    await once(socket.resume(), "data");
    expect(await stopMs()).to.be.below(10 * drainTimeoutMs);
  });

  it("does not wait for a connection that is lost, with the calls on it", async () => {
    const socket = await peer(Buffer.concat([opening(), download(0)]));
    while (downloads < 1) await client.unary("GetModel", { name: "models/a" });
    const stopped = stopMs();
    socket.resetAndDestroy();
    expect(await stopped).to.be.below(drainTimeoutMs);
  });

  it("ends a connection that it was ending already, and that its peer keeps open by not reading", async () => {
    const socket = await peer(
      Buffer.concat([opening(), ...Array.from({ length: callCount }, (_, call) => download(call))]),
    );
    while (downloads < callCount) await client.unary("GetModel", { name: "models/a" });
    // Headers on the stream of the connection itself, which ends it.
    const breach = frame(frameType.headers, flag.endHeaders, 0, Buffer.from([0x83]));
    await new Promise((sent) => socket.write(breach, sent));
    await client.unary("GetModel", { name: "models/a" });
    expect(await stopMs()).to.be.below(10 * drainTimeoutMs);
  });
});

/** So many that their replies fill what the system keeps for a peer that does not read. */
const callCount = 300;

function download(index: number): Buffer {
  const call = callFrames("127.0.0.1", `/${service}/DownloadArtifact`, Buffer.alloc(0));
  setStream(call, 2 * index + 1);
  return call;
}
