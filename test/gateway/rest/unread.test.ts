import { once } from "node:events";
import { connect, type Socket } from "node:net";
import { expect } from "chai";
import { createLog } from "../../../lib/log.ts";
import { RequestBytes } from "../../../services/gateway/admission/request-bytes.ts";
import { HeldAnswers } from "../../../services/gateway/held-answers.ts";
import { sendReply } from "../../../services/gateway/rest/reply.ts";
import { RestServer } from "../../../services/gateway/rest/rest-server.ts";
import { eventually } from "../harness.ts";

/** More than the system's sockets hold. */
const body = Buffer.alloc(16 * 1024 ** 2, "answer");
const bytesMax = 4 * body.length;

describe("answers by HTTP that their callers do not read", () => {
  const held = new HeldAnswers(bytesMax);
  const sockets: Socket[] = [];
  let server: RestServer;
  let port: number;

  before(async () => {
    const config = {
      host: "127.0.0.1",
      http: { port: 0, connectionsMax: 100, origins: [] },
      drainTimeoutMs: 0,
    };
    const parts = { requestBytes: new RequestBytes(1), answersHeld: held, log: createLog("test", "silent") };
    server = new RestServer(config, parts, [
      {
        methods: ["GET"],
        url: "/large",
        handle: ({ request, reply }) => sendReply(request, reply, { contentType: "text/plain", body }),
      },
    ]);
    port = await server.start();
  });

  afterEach(async () => {
    for (const socket of sockets.splice(0)) socket.destroy();
    await eventually(() => expect(held.waiting.bytes).to.equal(0));
  });

  after(() => server.stop());

  /** Asks so often on one connection, and reads nothing until it is resumed. */
  const ask = async (times = 1): Promise<Socket> => {
    const socket = connect(port, "127.0.0.1").pause();
    sockets.push(socket.on("error", () => undefined));
    await once(socket, "connect");
    socket.write("GET /large HTTP/1.1\r\nhost: x\r\n\r\n".repeat(times));
    return socket;
  };

  /** How many bytes come to somebody who reads all of them. */
  const readAll = async (): Promise<number> => {
    const response = await fetch(`http://127.0.0.1:${port}/large`);
    return (await response.arrayBuffer()).byteLength;
  };

  it("have a bound: the oldest of them are given up, and who reads gets all", async () => {
    for (let count = 0; count < 8; count++) {
      await ask();
      expect(await readAll()).to.equal(body.length);
    }
    await eventually(() => expect(held.waiting.bytes).to.be.at.most(bytesMax));
    expect(held.abandonedCount).to.be.at.least(3);
    const [oldest] = sockets;
    // The end of a connection is seen by those who read.
    oldest!.resume();
    if (!oldest!.destroyed) await once(oldest!, "close");
    expect(sockets.at(-1)!.destroyed).to.equal(false);
  });

  it("count as well where they wait for those before them on their connection", async () => {
    const before = held.abandonedCount;
    await ask(10);
    await eventually(() => expect(held.abandonedCount).to.be.above(before));
  });
});
