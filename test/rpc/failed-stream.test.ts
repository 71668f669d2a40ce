import { type ClientHttp2Session, type ClientHttp2Stream, connect, type IncomingHttpHeaders } from "node:http2";
import { status } from "@grpc/grpc-js";
import { expect } from "chai";
import type { ControlServiceHandlers } from "../../lib/gen/amaas/registry/v1/ControlService.ts";
import { createLog } from "../../lib/log.ts";
import { RpcServer } from "../../lib/rpc/server.ts";

const service = "amaas.registry.v1.ControlService";

describe("a stream that gRPC itself fails", () => {
  let server: RpcServer;
  let session: ClientHttp2Session;
  /** Settles when the handler has given all its replies. */
  let replied: Promise<void>;
  /** Settles when the handler learns that nobody waits. */
  let givenUp: Promise<void>;

  beforeEach(async () => {
    server = new RpcServer(
      { host: "127.0.0.1", port: 0, messageBytesMax: 1024, drainTimeoutMs: 2000 },
      createLog("test", "silent"),
    );
    let noteReplied: () => void;
    let noteGivenUp: () => void;
    replied = new Promise((resolve) => {
      noteReplied = resolve;
    });
    givenUp = new Promise((resolve) => {
      noteGivenUp = resolve;
    });
    server.implement<ControlServiceHandlers>(service, {
      ConnectNode: async function* (requests, { signal }) {
        signal.addEventListener("abort", () => noteGivenUp());
        for await (const _ of requests) {
          for (let reply = 1; reply <= 3; reply++) yield { heartbeatIntervalMs: reply };
          noteReplied();
        }
      },
    });
    const port = await server.start();
    // Nothing but headers comes until the window is opened.
    session = connect(`http://127.0.0.1:${port}`, { settings: { initialWindowSize: 0 } });
  });

  afterEach(async () => {
    session.destroy();
    await server.stop();
  });

  function open(): ClientHttp2Stream {
    const path = `/${service}/ConnectNode`;
    const headers = { ":method": "POST", ":path": path, "content-type": "application/grpc", te: "trailers" };
    return session.request(headers, { endStream: false });
  }

  it("has its status sent behind replies that still wait for the caller, and ends its handler", async () => {
    const stream = open();
    const trailers = new Promise<IncomingHttpHeaders>((resolve) => stream.once("trailers", resolve));
    stream.resume();
    stream.write(Buffer.alloc(5));
    await replied;
    // A message that is larger than the limit.
    stream.write(Buffer.from([0, 0x7f, 0, 0, 0]));
    session.settings({ initialWindowSize: 65_535 });
    expect(Number((await trailers)["grpc-status"])).to.equal(status.RESOURCE_EXHAUSTED);
    await givenUp;
    stream.end();
  });
});
