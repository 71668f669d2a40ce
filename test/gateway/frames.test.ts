import type { OutgoingHttpHeaders } from "node:http2";
import { expect } from "chai";
import fc from "fast-check";
import { framed } from "../../lib/rpc/framing.ts";
import { MessageReader } from "../../lib/rpc/message-reader.ts";
import type { Receiver } from "../../services/gateway/call/call.ts";
import { FrameMerge } from "../../services/gateway/streams/frame-merge.ts";

/** Messages, and how the bytes of all of them are cut. */
const messages = fc.array(fc.uint8Array({ maxLength: 40 }), { maxLength: 12 });
const cuts = fc.array(fc.integer({ min: 1, max: 30 }), { minLength: 1, maxLength: 30 });

/** In pieces of these lengths, over and over. */
function* pieces(bytes: Buffer, lengths: readonly number[]): Generator<Buffer> {
  for (let start = 0, index = 0; start < bytes.length; index++) {
    const length = lengths[index % lengths.length]!;
    yield bytes.subarray(start, start + length);
    start += length;
  }
}

describe("messages of a stream", () => {
  it("of several sources come out whole, each source's in its order, however slowly they are taken", () => {
    const sources = fc.array(fc.record({ sent: messages, lengths: cuts }), { minLength: 1, maxLength: 4 });
    const turns = fc.infiniteStream(fc.nat({ max: 1000 }));
    fc.assert(
      fc.property(sources, turns, (drawn, random) => {
        const receiver = new SlowReceiver();
        const merge = new FrameMerge(receiver);
        const writers = drawn.map(({ sent, lengths }, index) => {
          const source = merge.source();
          // The first byte of each message says whose it is.
          const frames = sent.map((message) => framed(Buffer.concat([Buffer.from([index]), message])));
          return { source, rest: [...pieces(Buffer.concat(frames), lengths)], frames, isWelcome: true };
        });
        for (;;) {
          const able = writers.filter(({ rest, isWelcome }) => rest.length > 0 && isWelcome);
          const turn = random.next().value!;
          if (able.length === 0 || turn % 3 === 0) {
            if (able.length === 0 && !receiver.isFull) break;
            receiver.drain();
            continue;
          }
          const writer = able[turn % able.length]!;
          const isWelcome = writer.source.write(writer.rest.shift()!, () => {
            writer.isWelcome = true;
          });
          if (!isWelcome) writer.isWelcome = false;
        }
        expect(writers.every(({ rest }) => rest.length === 0)).to.equal(true);
        const came: Buffer[] = [];
        new MessageReader(100).read(Buffer.concat(receiver.taken), (frame) => void came.push(frame));
        for (const [index, { frames }] of writers.entries()) {
          const own = came.filter((frame) => frame[5] === index);
          expect(own.map((frame) => frame.toString("hex"))).to.deep.equal(frames.map((frame) => frame.toString("hex")));
        }
      }),
    );
  });

  /** Takes one piece at a time. */
  class SlowReceiver implements Receiver {
    readonly taken: Buffer[] = [];
    #onDrained: (() => void) | undefined;

    get isFull(): boolean {
      return this.#onDrained !== undefined;
    }

    onOver(): () => void {
      return () => undefined;
    }

    respond(_: OutgoingHttpHeaders): void {}

    write(bytes: Buffer, onDrained: () => void): boolean {
      this.taken.push(bytes);
      this.#onDrained = onDrained;
      return false;
    }

    drain(): void {
      const onDrained = this.#onDrained;
      this.#onDrained = undefined;
      onDrained?.();
    }
  }
});
