import { expect } from "chai";
import fc from "fast-check";
import { FrameSplitter } from "../../lib/http2/frame-splitter.ts";
import { frame, frameFlag, frameType } from "../../lib/http2/frames.ts";

type Taken = readonly [type: number, flags: number, stream: number, payload: string];

function split(chunks: readonly Buffer[]): Taken[] {
  const taken: Taken[] = [];
  const splitter = new FrameSplitter((type, flags, stream, payload) =>
    taken.push([type, flags, stream, payload.toString("hex")]),
  );
  for (const chunk of chunks) {
    const bytes = Buffer.from(chunk);
    splitter.push(bytes);
    // Whoever gives the bytes may use them again.
    bytes.fill(0xff);
  }
  return taken;
}

/** With what is said without a frame in between joined, since data is given as it comes. */
function joined(taken: readonly Taken[]): Taken[] {
  const whole: Taken[] = [];
  for (const [type, flags, stream, payload] of taken) {
    const before = whole.at(-1);
    const goesOn = isData([type, flags]) && before !== undefined && isData(before) && before[2] === stream;
    if (goesOn) whole[whole.length - 1] = [type, flags, stream, before[3] + payload];
    else whole.push([type, flags, stream, payload]);
  }
  return whole;
}

function isData([type, flags]: readonly [number, number, ...unknown[]]): boolean {
  return type === frameType.data && (flags & frameFlag.padded) === 0;
}

describe("frames", () => {
  const type = fc.oneof(fc.constant(frameType.data), fc.nat(255));
  const frames = fc.array(fc.tuple(type, fc.nat(255), fc.nat(2 ** 31 - 1), fc.uint8Array({ maxLength: 40 })), {
    maxLength: 8,
  });

  it("are the same wherever what comes is cut, but that data comes in parts", () => {
    fc.assert(
      fc.property(frames, fc.array(fc.nat(400), { maxLength: 12 }), (sent, cuts) => {
        const bytes = Buffer.concat(sent.map(([type, flags, stream, payload]) => frame(type, flags, stream, payload)));
        const places = [0, ...cuts.map((cut) => Math.min(cut, bytes.length)).sort((a, b) => a - b), bytes.length];
        const chunks = places.slice(1).map((end, index) => bytes.subarray(places[index], end));
        const expected = joined(
          sent.map(([type, flags, stream, payload]) => [type, flags, stream, Buffer.from(payload).toString("hex")]),
        );
        expect(joined(split(chunks))).to.deep.equal(expected);
        expect(joined(split([...bytes].map((byte) => Buffer.of(byte))))).to.deep.equal(expected);
      }),
      { numRuns: 100 },
    );
  });

  it("end a stream with the last part of their data, and not before", () => {
    const last = frame(frameType.data, frameFlag.endStream, 5, Buffer.from("abc"));
    expect(split([last.subarray(0, 10), last.subarray(10, 11), last.subarray(11)])).to.deep.equal([
      [0, 0, 5, "61"],
      [0, 0, 5, "62"],
      [0, 1, 5, "63"],
    ]);
  });

  it("may have 16 KiB, and no more", () => {
    const most = frame(0, 0, 1, Buffer.alloc(16_384));
    expect(joined(split([most.subarray(0, 10_000), most.subarray(10_000)]))).to.have.length(1);
    for (const begin of [0, 3]) {
      const more = frame(0, 0, 1, Buffer.alloc(16_385));
      expect(() => split([more.subarray(0, begin), more.subarray(begin)])).to.throw(
        /16385 bytes; needed: at most 16384/,
      );
    }
  });
});
