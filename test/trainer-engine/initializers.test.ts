import { expect } from "chai";
import fc from "fast-check";
import { Random } from "../../lib/random.ts";
import { checkInitializer, drawn, type Initializer } from "../../services/trainer/graph/initializers/initializer.ts";

/** A weight of a convolution: 40·9 connections into an output, 60·9 out of an input. */
const shape = [60, 40, 3, 3];
const [fanIn, fanOut] = [40 * 9, 60 * 9];
const draw = (initializer: Initializer, of: readonly number[] = shape) => drawn(initializer, of, new Random(1));

describe("an initializer", () => {
  // Of an even distribution in ±b the deviation is b/√3.
  const even = (bound: number) => ({ mean: 0, deviation: bound / Math.sqrt(3), most: bound });
  const known: readonly [Initializer, { mean: number; deviation: number; most?: number }][] = [
    [{ kind: "kaiming_uniform" }, even(Math.sqrt(6 / fanIn))],
    [{ kind: "kaiming_uniform", slope: Math.sqrt(5) }, even(1 / Math.sqrt(fanIn))],
    [
      { kind: "kaiming_normal", fanOut: true },
      { mean: 0, deviation: Math.sqrt(2 / fanOut) },
    ],
    [{ kind: "xavier_uniform", gain: 2 }, even(2 * Math.sqrt(6 / (fanIn + fanOut)))],
    [{ kind: "xavier_normal" }, { mean: 0, deviation: Math.sqrt(2 / (fanIn + fanOut)) }],
    [{ kind: "normal" }, { mean: 0, deviation: 1 }],
    [
      { kind: "normal", mean: 3, deviation: 0.5 },
      { mean: 3, deviation: 0.5 },
    ],
    // The deviation of a normal distribution that is cut off at two deviations.
    [{ kind: "truncated_normal" }, { mean: 0, deviation: 0.8796, most: 2 }],
    [
      { kind: "truncated_normal", deviation: 0.1, bound: 0.5 },
      { mean: 0, deviation: 0.0284, most: 0.05 },
    ],
    [{ kind: "uniform" }, { mean: 0.5, deviation: 1 / Math.sqrt(12), most: 1 }],
    [
      { kind: "uniform", low: -1, high: 3 },
      { mean: 1, deviation: 4 / Math.sqrt(12), most: 3 },
    ],
    [{ kind: "zeros" }, { mean: 0, deviation: 0, most: 0 }],
    [
      { kind: "constant", value: -2 },
      { mean: -2, deviation: 0, most: 2 },
    ],
  ];
  for (const [initializer, { mean, deviation, most = Infinity }] of known) {
    it(`has the mean and the spread that its formula says: ${JSON.stringify(initializer)}`, () => {
      const numbers = draw(initializer);
      const seenMean = numbers.reduce((sum, number) => sum + number, 0) / numbers.length;
      const variance = numbers.reduce((sum, number) => sum + (number - seenMean) ** 2, 0) / numbers.length;
      expect(numbers).to.have.length(60 * 40 * 9);
      expect(seenMean).to.be.closeTo(mean, 0.03 * deviation + 1e-9);
      expect(Math.sqrt(variance)).to.be.closeTo(deviation, 0.02 * deviation + 1e-9);
      expect(numbers.every((number) => Math.abs(number) <= Math.fround(most))).to.equal(true);
    });
  }

  it("orthogonal has rows, or columns where they are fewer, at right angles and of one length", () => {
    const size = fc.integer({ min: 1, max: 12 });
    fc.assert(
      fc.property(size, size, fc.double({ min: 0.1, max: 4, noNaN: true }), (rows, columns, gain) => {
        const elements = draw({ kind: "orthogonal", gain }, [rows, columns]);
        const count = Math.min(rows, columns);
        const at = (index: number, along: number) =>
          rows <= columns ? elements[index * columns + along] : elements[along * columns + index];
        for (let a = 0; a < count; a++) {
          for (let b = 0; b <= a; b++) {
            let product = 0;
            for (let along = 0; along < Math.max(rows, columns); along++) product += at(a, along)! * at(b, along)!;
            expect(product).to.be.closeTo(a === b ? gain ** 2 : 0, 1e-5 * gain ** 2);
          }
        }
      }),
    );
  });

  it("draws the same numbers from the same stream", () => {
    for (const [initializer] of known) expect(draw(initializer)).to.deep.equal(draw(initializer));
  });

  for (const [initializer, message] of [
    [{ kind: "glorot" }, "w.kind is glorot; needed: one of kaiming_uniform"],
    [{ kind: "kaiming_normal", slope: Number.NaN }, "w.slope is NaN; needed: a finite number"],
    [{ kind: "xavier_normal", gain: 0 }, "w.gain is 0; needed: a finite number above 0"],
    [{ kind: "normal", deviation: -1 }, "w.deviation is -1; needed: a finite number of at least 0"],
    [{ kind: "truncated_normal", bound: 0 }, "w.bound is 0; needed: a number of at least 0.1"],
    [{ kind: "uniform", low: 2 }, "w.high is 1; needed: a number of at least low, 2"],
    [{ kind: "constant" }, "w.value is undefined; needed: a finite number"],
    [{ kind: "orthogonal" }, "w is orthogonal, for a weight of [8192,8192]; needed: another one"],
  ] as const) {
    it(`is refused where it cannot be: ${JSON.stringify(initializer)}`, () => {
      expect(() => checkInitializer(initializer as Initializer, "w", [8192, 8192])).to.throw(message);
    });
  }
});
