import { once } from "node:events";
import { connect as connectHttp2, createServer, type Http2Session } from "node:http2";
import { type AddressInfo, connect } from "node:net";
import { expect } from "chai";
import { Keepalive, type Peer } from "../../lib/rpc/keepalive.ts";
import { ManualClock } from "../manual-clock.ts";

/** A connection that answers when the test says so. */
class FakePeer {
  destroyed = false;
  pings = 0;
  answer: () => void = () => undefined;
  close: () => void = () => undefined;

  ping(hear: () => void): boolean {
    this.pings++;
    this.answer = hear;
    return true;
  }

  destroy(): void {
    this.destroyed = true;
  }

  once(_: string, listener: () => void): this {
    this.close = listener;
    return this;
  }

  get asPeer(): Peer {
    return this as unknown as Peer;
  }
}

describe("the keepalive of connections", () => {
  const watched = (count: number) => {
    const clock = new ManualClock();
    const keepalive = new Keepalive(clock);
    const peers = Array.from({ length: count }, () => new FakePeer());
    for (const peer of peers) keepalive.watch(peer.asPeer);
    return { clock, keepalive, peers };
  };
  /** In steps, as time passes; `act` is called after each. */
  const pass = (clock: ManualClock, ms: number, act: () => void = () => undefined) => {
    for (let passed = 0; passed < ms; passed += 200) {
      clock.advance(200);
      act();
    }
  };

  it("asks each once in 20 seconds, a few at a time, and leaves those that answer", () => {
    const { clock, peers } = watched(1000);
    let before = 0;
    pass(clock, 60_000, () => {
      const asked = peers.reduce((sum, { pings }) => sum + pings, 0);
      expect(asked - before).to.equal(10);
      before = asked;
      for (const { answer } of peers) answer();
    });
    expect(new Set(peers.map(({ pings }) => pings))).to.deep.equal(new Set([3]));
    expect(peers.some(({ destroyed }) => destroyed)).to.equal(false);
  });

  it("ends one that has not answered for 5 seconds, and not before", () => {
    const { clock, peers } = watched(1);
    const [peer] = peers;
    while (peer!.pings === 0) clock.advance(200);
    pass(clock, 4800);
    expect(peer!.destroyed).to.equal(false);
    pass(clock, 200);
    expect(peer!.destroyed).to.equal(true);
  });

  it("asks none that has ended, and begins again after the last one has", () => {
    const { clock, keepalive, peers } = watched(2);
    peers[0]!.destroyed = true;
    peers[1]!.close();
    pass(clock, 20_000);
    expect(peers.map(({ pings }) => pings)).to.deep.equal([0, 0]);
    peers[0]!.close();
    // A time that went on would ask the next one twice as often.
    const late = new FakePeer();
    keepalive.watch(late.asPeer);
    pass(clock, 20_000);
    expect(late.pings).to.equal(1);
  });

  it("tells a caller that answers from one that has vanished", async () => {
    const clock = new ManualClock();
    const keepalive = new Keepalive(clock);
    const server = createServer().listen(0, "127.0.0.1");
    const sessions: Http2Session[] = [];
    server.on("session", (session) => {
      sessions.push(session);
      keepalive.watch(session);
    });
    await once(server, "listening");
    const { port } = server.address() as AddressInfo;
    const well = connectHttp2(`http://127.0.0.1:${port}`);
    await once(well, "remoteSettings");
    // It says that it speaks HTTP/2, without settings of its own, and then nothing.
    const lost = connect(port, "127.0.0.1");
    lost.write(
      Buffer.concat([Buffer.from("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"), Buffer.from([0, 0, 0, 4, 0, 0, 0, 0, 0])]),
    );
    lost.resume();
    while (sessions.length < 2) await once(server, "session");
    const ended = once(lost, "close");
    const answered = once(well, "ping");
    pass(clock, 20_000);
    await answered;
    // Behind the answer to the ping.
    await new Promise((resolve) => well.ping(resolve));
    pass(clock, 10_000);
    await ended;
    expect(sessions.map(({ destroyed }) => destroyed)).to.deep.equal([false, true]);
    well.destroy();
    await new Promise((resolve) => server.close(resolve));
  });
});
