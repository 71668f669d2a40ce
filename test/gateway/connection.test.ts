import { once } from "node:events";
import { createServer } from "node:http2";
import type { AddressInfo } from "node:net";
import { expect } from "chai";
import { Connection } from "../../services/gateway/forward/connection.ts";

/** What Node documents, and its types have not. */
interface Renumbered {
  setNextStreamID(id: number): void;
}

describe("a connection to a node", () => {
  it("is made anew before its calls cannot be numbered any longer, and finishes those that have begun", async () => {
    const server = createServer((request, response) => void request.resume().on("end", () => response.end()));
    server.listen(0);
    await once(server, "listening");
    const connection = new Connection(`127.0.0.1:${(server.address() as AddressInfo).port}`, {
      connectTimeoutMs: 1000,
    });
    const call = () => connection.call({ ":path": "/", ":method": "POST" }).resume();
    const first = call().end();
    const { session } = first;
    await once(first, "close");
    (session as unknown as Renumbered).setNextStreamID(2 ** 31 - 1001);
    const calls = Array.from({ length: 3 }, call);
    await Promise.all(calls.map((stream) => once(stream.end(), "close")));
    expect(calls.map(({ rstCode }) => rstCode)).to.deep.equal([0, 0, 0]);
    const later = call();
    expect(later.session).to.not.equal(session);
    await once(later.end(), "close");
    connection.close();
    server.close();
    await once(server, "close");
  });
});
