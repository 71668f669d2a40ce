import { expect } from "chai";
import fc from "fast-check";
import { ServiceError } from "../../lib/errors.ts";
import { framed } from "../../lib/rpc/framing.ts";
import { MessageReader } from "../../lib/rpc/message-reader.ts";

/** Messages, and how the bytes of all of them are cut. */
const messages = fc.array(fc.uint8Array({ maxLength: 40 }), { maxLength: 12 });
const cuts = fc.array(fc.integer({ min: 1, max: 30 }), { minLength: 1, maxLength: 30 });

/** In pieces of these lengths, over and over, all in the same memory. */
function* pieces(bytes: Buffer, lengths: readonly number[]): Generator<Buffer> {
  const memory = Buffer.alloc(Math.max(...lengths));
  for (let start = 0, index = 0; start < bytes.length; index++) {
    const length = lengths[index % lengths.length]!;
    yield memory.subarray(0, bytes.copy(memory, 0, start, start + length));
    start += length;
  }
}

function read(reader: MessageReader, pieces: Iterable<Buffer>): Buffer[] {
  const frames: Buffer[] = [];
  for (const piece of pieces) reader.read(piece, (frame) => void frames.push(frame));
  return frames;
}

describe("messages of a call", () => {
  it("are read one by one, however they come in, and are their own memory", () => {
    fc.assert(
      fc.property(messages, cuts, (sent, lengths) => {
        const reader = new MessageReader(40);
        const frames = sent.map((message) => framed(message));
        const seen = read(reader, pieces(Buffer.concat(frames), lengths));
        expect(seen.map((frame) => frame.toString("hex"))).to.deep.equal(frames.map((frame) => frame.toString("hex")));
        reader.end();
      }),
    );
  });

  it("end where numbers can be read in their place, of every size", () => {
    for (const length of [0, 1, 3, 8, 4091, 5000, 1024 ** 2, 2 * 1024 ** 2 + 3, 20 * 1024 ** 2 + 1]) {
      const message = Buffer.alloc(length, "abc");
      for (const cut of [length + 5, 16_384]) {
        const [frame] = read(new MessageReader(length), pieces(framed(message), [cut]));
        expect(frame!.subarray(5).equals(message), `${length} bytes`).to.equal(true);
        expect((frame!.byteOffset + frame!.length) % 8).to.equal(0);
      }
    }
  });

  it("are refused where they are too large, before they are there, and where the last one is not whole", () => {
    const reader = new MessageReader(10);
    expect(read(reader, [framed(Buffer.alloc(10))])).to.have.length(1);
    expect(() => read(reader, [Buffer.from([0, 0, 0, 0, 11])])).to.throw(ServiceError, "11 bytes; needed: at most 10");
    for (const part of [1, 5, 9]) {
      const cut = new MessageReader(10);
      expect(read(cut, [framed(Buffer.alloc(10)).subarray(0, part)])).to.deep.equal([]);
      expect(cut.bytes).to.equal(part);
      expect(cut.roomBytes).to.be.within(part, 15);
      expect(() => cut.end()).to.throw(ServiceError, "ends inside of a message");
    }
  });

  it("take little room for what they only claim", () => {
    const reader = new MessageReader(2 ** 31);
    read(reader, [Buffer.from([0, 0x7f, 0xff, 0xff, 0xff, 0])]);
    expect(reader.roomBytes).to.equal(16_384);
    for (let sent = 6; sent < 3_000_000; sent += 100_000) {
      read(reader, [Buffer.alloc(100_000)]);
      expect(reader.roomBytes).to.be.within(reader.bytes, 64 * reader.bytes);
    }
  });
});
