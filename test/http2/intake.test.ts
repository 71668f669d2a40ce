import { setImmediate as nextTurn } from "node:timers/promises";
import { expect } from "chai";
import fc from "fast-check";
import { frame, frameFlag, frameType } from "../../lib/http2/frames.ts";
import { Intake, sliceBytes } from "../../lib/http2/intake.ts";
import { shareMs, TurnShare } from "../../lib/http2/turn-share.ts";
import { ManualClock } from "../manual-clock.ts";
import { RawCaller } from "./raw-caller.ts";
import { startServer } from "./taken.ts";

/** A socket that hands over what it is given, and nothing while it is paused. */
class FakeSocket {
  readonly intake: Intake;
  readonly #chunks: Buffer[];
  taken = Buffer.alloc(0);

  constructor(share: TurnShare, chunks: readonly Buffer[], onSlice: (bytes: Buffer) => void) {
    this.#chunks = [...chunks];
    this.intake = new Intake(
      (bytes) => {
        this.taken = Buffer.concat([this.taken, bytes]);
        onSlice(bytes);
      },
      this,
      share,
    );
  }

  resume(): void {
    while (this.#chunks.length > 0 && this.intake.push(this.#chunks.shift()!));
  }
}

describe("what sockets hand over", () => {
  let clock: ManualClock;
  let share: TurnShare;

  beforeEach(() => {
    clock = new ManualClock();
    share = new TurnShare(() => clock.monotonicMs());
  });

  const slices = (count: number, fill = 0) => Buffer.alloc(count * sliceBytes, fill);

  it("is taken whole and in its order, however long that takes", async () => {
    const chunk = fc.uint8Array({ minLength: 1, maxLength: 8 }).map((bytes) => {
      const repeated = Buffer.alloc(bytes.length * 7000);
      for (let i = 0; i < repeated.length; i++) repeated[i] = bytes[i % bytes.length]! + i / 7000;
      return repeated;
    });
    const durationMs = fc.constantFrom(0, 0, shareMs / 2, shareMs, 10);
    const given = fc.tuple(fc.array(fc.array(chunk, { maxLength: 4 }), { maxLength: 5 }), fc.array(durationMs));
    const property = fc.asyncProperty(given, async ([sockets, durationsMs]) => {
      let slice = 0;
      const onSlice = () => clock.advance(durationsMs[slice++ % durationsMs.length] ?? shareMs);
      const fakes = sockets.map((chunks) => new FakeSocket(share, chunks, onSlice));
      for (const fake of fakes) fake.resume();
      const total = sockets.flat().reduce((sum, { length }) => sum + Math.ceil(length / sliceBytes), 0);
      // A turn takes one slice at least.
      for (let turn = 0; turn <= total; turn++) await nextTurn();
      for (const [i, { taken }] of fakes.entries()) expect(taken.equals(Buffer.concat(sockets[i]!))).to.equal(true);
    });
    await fc.assert(property, { numRuns: 50 });
  });

  it("takes no more of a turn than its share", async () => {
    let count = 0;
    const fake = new FakeSocket(share, [slices(4), slices(4)], () => {
      count++;
      clock.advance(shareMs / 2);
    });
    fake.resume();
    const counts = [count];
    for (; count < 8; counts.push(count)) await nextTurn();
    expect(counts).to.deep.equal([2, 4, 6, 8]);
  });

  it("of one socket does not keep that of others waiting", async () => {
    const order: number[] = [];
    const onSlice = (bytes: Buffer) => {
      order.push(bytes[0]!);
      clock.advance(shareMs);
    };
    const fakes = [1, 2, 3].map((fill) => new FakeSocket(share, [slices(2, fill), slices(1, fill)], onSlice));
    for (const fake of fakes) fake.resume();
    while (order.length < 9) await nextTurn();
    // The first had this turn.
    expect(order).to.deep.equal([1, ...[1, 2, 3], ...[1, 2, 3], ...[2, 3]]);
  });

  it("of one socket has led to what it leads to before that of the next is looked at", async () => {
    const events: string[] = [];
    const onSlice = (bytes: Buffer) => {
      events.push(`taken ${bytes[0]}`);
      void Promise.resolve().then(() => events.push(`done ${bytes[0]}`));
    };
    const fakes = [1, 2].map((fill) => new FakeSocket(share, [slices(1, fill)], onSlice));
    expect(share.isUsedUp).to.equal(false);
    clock.advance(shareMs);
    for (const fake of fakes) fake.resume();
    expect(events).to.deep.equal([]);
    while (events.length < 4) await nextTurn();
    expect(events).to.deep.equal(["taken 1", "done 1", "taken 2", "done 2"]);
  });

  it("is taken at once where the socket has gone, and once", async () => {
    const fake = new FakeSocket(share, [slices(3)], () => clock.advance(shareMs));
    fake.resume();
    expect(fake.taken.length).to.equal(sliceBytes);
    fake.intake.finish();
    expect(fake.taken.length).to.equal(3 * sliceBytes);
    await nextTurn();
    expect(fake.taken.length).to.equal(3 * sliceBytes);
  });

  it("by a caller with very many calls does not keep others from a server", async () => {
    const count = 120;
    const spin = () => {
      for (const endMs = performance.now() + 1; performance.now() < endMs; );
    };
    const paths: string[] = [];
    const { server, port } = await startServer(
      (one, path) => {
        paths.push(path);
        if (path === "/other") one.answer(Buffer.of(1));
        else if (paths.length === 1) other.send(other.call(1, frameFlag.endStream, { ":path": "/other" }));
        spin();
      },
      { streamsMax: count },
    );
    const [many, other] = [new RawCaller(port), new RawCaller(port)];
    other.greet();
    await other.sent(({ type }) => type === frameType.settings);
    many.greet();
    const streams = Array.from({ length: count }, (_, i) => 2 * i + 1);
    many.send(
      ...streams.flatMap((id) => [many.call(id), frame(frameType.data, frameFlag.endStream, id, Buffer.alloc(1000))]),
    );
    await other.sent(({ flags }) => (flags & frameFlag.endStream) !== 0);
    while (paths.length <= count) await nextTurn();
    expect(paths.indexOf("/other")).to.be.within(1, count / 2);
    for (const { socket } of [many, other]) socket.destroy();
    server.destroy();
    await server.close();
  });
});
