import { once } from "node:events";
import { createServer, type Http2Server, type IncomingHttpHeaders, type ServerHttp2Stream } from "node:http2";
import type { AddressInfo } from "node:net";
import { expect } from "chai";
import fc from "fast-check";
import { type ClientConnection, connectClient } from "../../lib/http2/client.ts";
import { errorCode } from "../../lib/http2/faults.ts";
import { begin, bounds, connectionListener, Heard } from "./heard.ts";
import { RawPeer } from "./raw-peer.ts";

describe("a client of HTTP/2", () => {
  describe("with a server of Node", () => {
    let server: Http2Server;
    let client: ClientConnection;
    let connection: ReturnType<typeof connectionListener>;
    let answer: (stream: ServerHttp2Stream, headers: IncomingHttpHeaders) => void;

    before(async () => {
      server = createServer({ settings: { maxConcurrentStreams: 10, initialWindowSize: 100_000 } });
      server.on("stream", (stream, headers) => {
        stream.on("error", () => undefined);
        answer(stream, headers);
      });
      server.listen(0, "127.0.0.1");
      await once(server, "listening");
    });

    beforeEach(() => {
      connection = connectionListener();
      client = connectClient(
        { host: "127.0.0.1", port: (server.address() as AddressInfo).port, ...bounds },
        connection,
      );
    });

    afterEach(async () => {
      client.close();
      await connection.closed;
    });

    after(async () => {
      server.close();
      await once(server, "close");
    });

    /** Answers what was sent, and says in the trailers how much that was. */
    const echo = (stream: ServerHttp2Stream) => {
      let bytes = 0;
      stream.respond({ ":status": 200 }, { waitForTrailers: true });
      stream.on("data", (chunk: Buffer) => {
        bytes += chunk.length;
      });
      stream.on("wantTrailers", () => stream.sendTrailers({ "grpc-status": "0", bytes: String(bytes) }));
      stream.pipe(stream);
    };

    it("sends and receives messages of any size, with headers before and trailers after them", async () => {
      answer = echo;
      await fc.assert(
        fc.asyncProperty(fc.array(fc.nat(200_000), { maxLength: 4 }), async (sizes) => {
          const { stream, heard } = begin(client);
          const sent = sizes.map((size, place) => Buffer.alloc(size, `${place} of many `));
          for (const bytes of sent) stream.write(bytes);
          stream.end();
          expect(await heard.closed).to.equal(undefined);
          expect(heard.headers).to.include({ ":status": "200" });
          expect(heard.bytes.equals(Buffer.concat(sent))).to.equal(true);
          expect(heard.trailers).to.include({ "grpc-status": "0", bytes: String(Buffer.concat(sent).length) });
          const events = heard.events.filter((event) => event !== "drain" && event !== "data");
          expect(events).to.deep.equal(["headers", "trailers", "end", "close"]);
        }),
        { numRuns: 25 },
      );
    });

    it("carries headers, trailers and answers of trailers alone as they are", async () => {
      const name = fc.stringMatching(/^x-[a-z0-9-]{1,12}$/);
      const text = fc.stringMatching(/^([!-~]([ -~]{0,60}[!-~])?)?$/);
      await fc.assert(
        fc.asyncProperty(fc.dictionary(name, text, { maxKeys: 20 }), async (said) => {
          let received: IncomingHttpHeaders = {};
          answer = (stream, headers) => {
            received = headers;
            stream.resume().respond({ ...said, ":status": 200 }, { endStream: true });
          };
          const heard = new Heard();
          client.request({ ":method": "POST", ":path": "/", ...said }, heard).end();
          await heard.closed;
          expect(received).to.include(said);
          expect(heard.trailers).to.include(said);
          expect(heard.events).to.deep.equal(["trailers", "end", "close"]);
        }),
        { numRuns: 25 },
      );
    });

    it("sends headers that need several frames", async () => {
      const long = "x".repeat(40_000);
      let received: IncomingHttpHeaders = {};
      answer = (stream, headers) => {
        received = headers;
        stream.resume().respond({ ":status": 200 }, { endStream: true });
      };
      const heard = new Heard();
      client.request({ ":method": "POST", ":path": "/", long }, heard).end();
      expect(await heard.closed).to.equal(undefined);
      expect(received.long).to.equal(long);
    });

    it("lets calls wait for the end of others where the server takes only so many", async () => {
      let open = 0;
      let most = 0;
      answer = (stream) => {
        most = Math.max(most, ++open);
        stream.on("close", () => open--);
        echo(stream);
      };
      const calls = Array.from({ length: 100 }, () => begin(client));
      // What is given up while it waits never begins.
      calls[50]!.stream.reset(errorCode.cancel);
      for (const { stream } of calls) stream.writeLast(Buffer.from("message"));
      const failures = await Promise.all(calls.map(({ heard }) => heard.closed));
      expect(new Set(failures)).to.deep.equal(new Set([undefined]));
      expect(calls.filter(({ heard }) => heard.trailers === undefined)).to.have.length(1);
      expect(most).to.be.at.most(10);
    });

    it("tells the server of calls that it gives up", async () => {
      const reset = new Promise((resolve) => {
        answer = (received) => {
          received.on("close", () => resolve(received.rstCode));
          stream.reset(errorCode.cancel);
        };
      });
      const { stream } = begin(client);
      stream.write(Buffer.from("message"));
      expect(await reset).to.equal(errorCode.cancel);
    });

    it("gets all of a large answer that it takes piece by piece", async () => {
      const sent = Buffer.alloc(2 * 1024 ** 2, "some bytes ");
      answer = (stream) => {
        stream.resume().respond({ ":status": 200 });
        stream.end(sent);
      };
      const { stream, heard } = begin(client);
      stream.end();
      heard.onBytes = () => {
        stream.pause();
        setImmediate(() => stream.resume());
      };
      expect(await heard.closed).to.equal(undefined);
      expect(heard.bytes.equals(sent)).to.equal(true);
    });

    it("is slowed down by a server that does not read, and says when there is room again", async () => {
      let read = () => undefined as unknown;
      const began = new Promise<void>((resolve) => {
        answer = (stream) => {
          read = () => echo(stream);
          resolve();
        };
      });
      const { stream, heard } = begin(client);
      const piece = Buffer.alloc(30_000);
      let sent = 0;
      const sendOn = () => {
        while (sent < 100) {
          sent++;
          if (!stream.write(piece)) return;
        }
        stream.end();
      };
      heard.onDrain = sendOn;
      sendOn();
      await began;
      for (let count = 0; count < 20; count++) await new Promise<void>((resolve) => client.ping(resolve));
      expect(sent).to.be.below(10);
      read();
      expect(await heard.closed).to.equal(undefined);
      expect(heard.trailers!.bytes).to.equal("3000000");
    });
  });

  it("says why there is no connection", async () => {
    const peer = new RawPeer();
    const port = await peer.listen();
    peer.stop();
    const connection = connectionListener();
    const client = connectClient({ host: "127.0.0.1", port, ...bounds }, connection);
    const { heard } = begin(client);
    expect(await heard.closed).to.match(/ECONNREFUSED/);
    expect(await connection.closed).to.match(/ECONNREFUSED/);
  });
});
