import { expect } from "chai";
import { frameFlag, frameType } from "../../lib/http2/frames.ts";
import { framed } from "../../lib/rpc/framing.ts";
import { forwardToReplica } from "../../services/gateway/forward/attempts.ts";
import { Connections } from "../../services/gateway/forward/connections.ts";
import { RetryBudget } from "../../services/gateway/forward/retry-budget.ts";
import { data, headers, RawPeer, settings, trailers } from "../http2/raw-peer.ts";
import { ManualClock } from "../manual-clock.ts";
import { StubCall } from "./stub-call.ts";

describe("of replicas that are asked at the same time", () => {
  it("the first whose whole answer comes at once is all that the caller gets, and nobody else is asked", async () => {
    const peers = [new RawPeer(), new RawPeer(), new RawPeer()] as const;
    const replicas = await Promise.all(peers.map(async (peer) => `127.0.0.1:${await peer.listen()}`));
    const nodes = new Connections({ connectTimeoutMs: 5000 });
    const call = new StubCall();
    const kinds: string[] = [];
    const message = framed(Buffer.from("answer"));
    const answer = forwardToReplica(
      replicas,
      { call, message, own: {}, servedBy: () => ({}), choose: ([first]) => first! },
      {
        nodes,
        attemptsMax: 3,
        budget: new RetryBudget(1, new ManualClock()),
        hedgeAfterMs: 1,
        onAttempt: ({ kind, isBegun }) => void kinds.push(`${kind} ${isBegun}`),
      },
    );
    for (const peer of peers.slice(0, 2)) {
      while (peer.socket === undefined) await new Promise((resolve) => setImmediate(resolve));
      peer.send(settings);
      await peer.sent(({ type }) => type === frameType.headers);
    }
    peers[1].send(headers(1, frameFlag.endHeaders), data(1, message), trailers(1));
    expect((await answer).node).to.equal(replicas[1]);
    expect(kinds).to.have.members(["first false", "hedge true"]);
    expect([call.answers.length, call.bytes]).to.deep.equal([1, message]);
    nodes.close();
    for (const peer of peers) peer.stop();
  });
});
