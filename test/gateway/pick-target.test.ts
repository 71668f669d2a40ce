import { expect } from "chai";
import fc from "fast-check";
import { Random } from "../../lib/random.ts";
import { drawn, drawsOf, readyTargets } from "../../services/gateway/pick-target.ts";
import type { AliasTarget } from "../../services/gateway/route-facts.ts";

describe("picking a target of an alias", () => {
  const all = () => true;
  const only =
    (...versions: number[]) =>
    (version: number) =>
      versions.includes(version);
  const targets = [
    { version: 1, weight: 90 },
    { version: 2, weight: 9 },
    { version: 3, weight: 1 },
  ];
  const versions = (list: readonly AliasTarget[]) => drawsOf(list, ({ version }) => version);
  const spread = (isReady: (version: number) => boolean, count: number) => {
    const random = new Random(11);
    const counts = new Map<number, number>();
    const ready = versions(readyTargets(targets, ({ version }) => isReady(version)));
    for (let i = 0; i < count; i++) {
      const picked = drawn(ready, random.uniform());
      counts.set(picked, (counts.get(picked) ?? 0) + 1);
    }
    return counts;
  };

  it("spreads requests by weight", () => {
    const counts = spread(all, 10_000);
    for (const { version, weight } of targets) {
      const share = weight / 100;
      // Six standard deviations of a binomial count.
      const bound = 6 * Math.sqrt(10_000 * share * (1 - share));
      expect(Math.abs(counts.get(version)! - 10_000 * share), `version ${version}`).to.be.below(bound);
    }
  });

  it("gives weight only to what is ready, in the same proportions, as long as anything is", () => {
    const counts = spread(only(2, 3), 10_000);
    expect([...counts.keys()]).to.have.members([2, 3]);
    expect(Math.abs(counts.get(2)! - 9000)).to.be.below(6 * Math.sqrt(10_000 * 0.09));
    expect([...spread(only(3), 100).keys()]).to.deep.equal([3]);
    expect([...spread(only(), 1000).keys()]).to.include.members([1, 2]);
  });

  it("depends on nothing but the number, and ends at every one below 1", () => {
    const almostOne = 1 - 2 ** -53;
    expect([0, 0.899, 0.9, 0.989, 0.99, almostOne].map((random) => drawn(versions(targets), random))).to.deep.equal([
      1, 1, 2, 2, 3, 3,
    ]);
    const weights = fc.array(fc.integer({ min: 1, max: 1_000_000 }), { minLength: 1, maxLength: 16 });
    fc.assert(
      fc.property(weights, fc.double({ min: 0, max: almostOne, noNaN: true }), (weights, random) => {
        const list = weights.map((weight, version) => ({ version, weight }));
        expect(drawn(versions(list), random)).to.be.within(0, list.length - 1);
      }),
    );
  });
});
