import { expect } from "chai";
import fc from "fast-check";
import { brainHalfBits, brainHalfOf, halfBits, halfOf } from "../lib/half-floats.ts";

describe("numbers of 16 bits", () => {
  for (const [name, numberOf, bitsOf] of [
    ["binary16", halfOf, halfBits],
    ["bfloat16", brainHalfOf, brainHalfBits],
  ] as const) {
    it(`${name}: all of them come back from their number`, () => {
      for (let bits = 0; bits < 0x10000; bits++) {
        const number = numberOf(bits);
        if (Number.isNaN(number)) expect(numberOf(bitsOf(number))).to.be.NaN;
        else if (bitsOf(number) !== bits) expect.fail(`${bits} is ${number} and became ${bitsOf(number)}`);
      }
    });

    it(`${name}: every number becomes the nearest one`, () => {
      fc.assert(
        fc.property(fc.float({ noNaN: true, min: -60_000, max: 60_000 }), (value) => {
          const bits = bitsOf(value);
          const error = Math.abs(numberOf(bits) - value);
          for (const other of [bits - 1, bits + 1]) {
            const distance = Math.abs(numberOf(other & 0xffff) - value);
            if (distance < error) expect.fail(`${value} became ${numberOf(bits)}, not ${numberOf(other)}`);
          }
        }),
      );
    });
  }

  it("of two that are as near the even one is taken, and too large ones are infinite", () => {
    expect(halfOf(halfBits(2049))).to.equal(2048);
    expect(halfOf(halfBits(2051))).to.equal(2052);
    expect(halfOf(halfBits(65_519))).to.equal(65_504);
    expect(halfOf(halfBits(65_520))).to.equal(Infinity);
    expect(brainHalfOf(brainHalfBits(257))).to.equal(256);
    expect(brainHalfOf(brainHalfBits(259))).to.equal(260);
  });
});
