import { expect } from "chai";
import fc from "fast-check";
import { readyTargets } from "../../services/gateway/pick-target.ts";
import type { AliasTarget } from "../../services/gateway/route-facts.ts";
import { stickyTarget } from "../../services/gateway/sticky-target.ts";

const names = Array.from({ length: 20_000 }, (_, index) => `user-${index}`);
const targetsOf = (weights: Record<number, number>): readonly AliasTarget[] =>
  Object.entries(weights).map(([version, weight]) => ({ version: Number(version), weight }));
const chosen = (weights: Record<number, number>, isReady: (version: number) => boolean = () => true) => {
  const targets = readyTargets(targetsOf(weights), ({ version }) => isReady(version));
  return names.map((name) => stickyTarget(targets, name).version);
};

describe("a sticky target", () => {
  it("is the same for the same name, whatever the order of the targets", () => {
    const weight = fc.integer({ min: 1, max: 1000 });
    const targets = fc.uniqueArray(fc.record({ version: fc.integer({ min: 1, max: 50 }), weight }), {
      selector: ({ version }) => version,
      minLength: 1,
      maxLength: 8,
    });
    fc.assert(
      fc.property(targets, fc.string(), (list, name) => {
        const { version } = stickyTarget(list, name);
        expect(list.map((target) => target.version)).to.include(version);
        expect(stickyTarget([...list].reverse(), name).version).to.equal(version);
      }),
    );
  });

  it("is each one as often as its weight says", () => {
    const versions = chosen({ 1: 90, 2: 9, 3: 1 });
    for (const [version, share] of [
      [1, 0.9],
      [2, 0.09],
      [3, 0.01],
    ] as const) {
      const count = versions.filter((one) => one === version).length;
      // Five standard deviations of the binomial distribution.
      const allowed = 5 * Math.sqrt(names.length * share * (1 - share));
      expect(count, `version ${version}`).to.be.within(names.length * share - allowed, names.length * share + allowed);
    }
  });

  it("moves no more names than it has to where weights change, and all of them to what has gained", () => {
    const before = chosen({ 1: 90, 2: 10 });
    const after = chosen({ 1: 80, 2: 20 });
    const moved = before.filter((version, index) => version !== after[index]);
    expect(new Set(moved)).to.deep.equal(new Set([1]));
    // From a share of 0.1 to one of 0.2.
    expect(moved.length / names.length).to.be.closeTo(0.1, 0.015);
  });

  it("moves only the names of a version that is not ready, and back again", () => {
    const weights = { 1: 1, 2: 1, 3: 1 };
    const before = chosen(weights);
    const without = chosen(weights, (version) => version !== 2);
    expect(without).not.to.include(2);
    expect(before.every((version, index) => version === 2 || version === without[index])).to.equal(true);
    expect(chosen(weights)).to.deep.equal(before);
  });

  it("is one of the targets where none is ready", () => {
    expect(chosen({ 4: 1, 5: 1 }, () => false).slice(0, 50)).to.include.members([4, 5]);
  });
});
