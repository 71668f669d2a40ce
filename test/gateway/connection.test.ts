import { expect } from "chai";
import { frameFlag, frameOfNumbers, frameType } from "../../lib/http2/frames.ts";
import { Connection } from "../../services/gateway/forward/connection.ts";
import { Heard } from "../http2/heard.ts";
import { headers, ping, RawPeer, settings } from "../http2/raw-peer.ts";

describe("a connection to a node", () => {
  it("is made anew where the node takes no more calls, and finishes those that have begun", async () => {
    const peers = [new RawPeer(), new RawPeer()] as const;
    const port = await peers[0].listen();
    const connection = new Connection(`127.0.0.1:${port}`, { connectTimeoutMs: 1000 });
    const call = async (peer: RawPeer) => {
      const heard = new Heard();
      connection.call({ ":path": "/", ":method": "POST" }, heard).end();
      while (peer.socket === undefined) await new Promise((resolve) => setImmediate(resolve));
      peer.send(settings);
      await peer.sent(({ type }) => type === frameType.headers);
      return heard;
    };
    const first = await call(peers[0]);
    peers[0].send(frameOfNumbers(frameType.goaway, 0, 0, 1, 0), ping());
    // It has heard of it when it answers what came after.
    await peers[0].sent(({ type, flags }) => type === frameType.ping && flags === frameFlag.acknowledge);
    peers[0].stopListening();
    await peers[1].listen(port);
    const later = await call(peers[1]);
    for (const peer of peers) peer.send(headers(1, frameFlag.endHeaders | frameFlag.endStream));
    expect(await Promise.all([first.closed, later.closed])).to.deep.equal([undefined, undefined]);
    expect([first.trailers, later.trailers].map((said) => said?.[":status"])).to.deep.equal(["200", "200"]);
    connection.close();
    await Promise.all(peers.map((peer) => peer.closed()));
    for (const peer of peers) peer.stop();
  });
});
