import { once } from "node:events";
import { type ClientHttp2Session, connect, createServer, type Http2Server, type ServerHttp2Session } from "node:http2";
import type { AddressInfo } from "node:net";
import { expect } from "chai";
import fc from "fast-check";
import { StreamTable } from "../../lib/http2/stream-table.ts";
import { lightenStreams } from "../../lib/rpc/light-streams.ts";

describe("the table of a connection's streams", () => {
  it("holds what a Map would", () => {
    const steps = fc.array(fc.record({ id: fc.nat(600), isSet: fc.boolean() }), { maxLength: 400 });
    fc.assert(
      fc.property(steps, (taken) => {
        const table = new StreamTable<string>();
        const map = new Map<number, string>();
        for (const { id, isSet } of taken) {
          if (isSet && !map.has(id)) {
            table.set(id, `stream ${id}`);
            map.set(id, `stream ${id}`);
          } else if (!isSet) {
            table.delete(id);
            map.delete(id);
          }
          expect([table.size, table.get(id)]).to.deep.equal([map.size, map.get(id)]);
        }
        const streams: string[] = [];
        table.forEach((stream) => void streams.push(stream));
        expect(streams).to.have.members([...map.values()]);
      }),
    );
  });

  describe("in a server of this Node", () => {
    let server: Http2Server;
    let session: ServerHttp2Session;
    let client: ClientHttp2Session;

    beforeEach(async () => {
      server = createServer();
      server.on("session", lightenStreams);
      server.listen(0, "127.0.0.1");
      await once(server, "listening");
      client = connect(`http://127.0.0.1:${(server.address() as AddressInfo).port}`);
      [session] = await once(server, "session");
    });

    afterEach(() => {
      client.destroy();
      server.close();
    });

    /** A stream from both ends. */
    const opened = async () => {
      const request = client.request({ ":path": "/" });
      request.on("error", () => undefined);
      const [stream] = await once(server, "stream");
      return { request, stream };
    };
    const tableOf = () =>
      Object.getOwnPropertySymbols(session)
        .map((key) => (session as unknown as Record<symbol, { streams?: unknown } | undefined>)[key]?.streams)
        .find((streams) => streams instanceof StreamTable);

    it("has every stream as long as it is open", async () => {
      const { request, stream } = await opened();
      expect([tableOf()?.size, tableOf()?.get(stream.id)]).to.deep.equal([1, stream]);
      stream.respond({ ":status": 200 });
      stream.end("bytes");
      request.resume();
      await Promise.all([once(stream, "close"), once(request, "close")]);
      expect(tableOf()?.size).to.equal(0);
    });

    it("ends all of them with their connection", async () => {
      const both = [await opened(), await opened()];
      session.destroy();
      await Promise.all(both.map(({ stream }) => once(stream, "close")));
      expect(tableOf()?.size).to.equal(0);
    });

    it("lets a connection that closes finish them", async () => {
      const { request, stream } = await opened();
      session.close();
      stream.respond({ ":status": 200 });
      stream.end("bytes");
      let text = "";
      for await (const part of request) text += part;
      expect(text).to.equal("bytes");
      if (!session.destroyed) await once(session, "close");
    });
  });
});
