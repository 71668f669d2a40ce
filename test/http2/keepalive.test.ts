import { expect } from "chai";
import { Keepalive, type Peer } from "../../lib/http2/keepalive.ts";
import { ManualClock } from "../manual-clock.ts";

/** A connection that answers when the test says so. */
class FakePeer implements Peer {
  hasEnded = false;
  destroyed = false;
  pings = 0;
  answer: () => void = () => undefined;
  close: () => void = () => undefined;

  ping(hear: () => void): boolean {
    if (this.hasEnded) return false;
    this.pings++;
    this.answer = hear;
    return true;
  }

  destroy(): void {
    this.destroyed = true;
  }
}

describe("the keepalive of connections", () => {
  const watched = (count: number) => {
    const clock = new ManualClock();
    const keepalive = new Keepalive(clock);
    const peers = Array.from({ length: count }, () => new FakePeer());
    for (const peer of peers) peer.close = keepalive.watch(peer);
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
    peers[0]!.hasEnded = true;
    peers[1]!.close();
    pass(clock, 20_000);
    expect(peers.map(({ pings }) => pings)).to.deep.equal([0, 0]);
    peers[0]!.close();
    // A time that went on would ask the next one twice as often.
    const late = new FakePeer();
    keepalive.watch(late);
    pass(clock, 20_000);
    expect(late.pings).to.equal(1);
  });
});
