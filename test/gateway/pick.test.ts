import { expect } from "chai";
import fc from "fast-check";
import { Random } from "../../lib/random.ts";
import { pick } from "../../services/gateway/pick.ts";
import { pickTarget } from "../../services/gateway/pick-target.ts";

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
  const spread = (isReady: (version: number) => boolean, count: number) => {
    const random = new Random(11);
    const counts = new Map<number, number>();
    for (let i = 0; i < count; i++) {
      const picked = pickTarget(targets, isReady, random.uniform());
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
    expect([0, 0.899, 0.9, 0.989, 0.99, almostOne].map((random) => pickTarget(targets, all, random))).to.deep.equal([
      1, 1, 2, 2, 3, 3,
    ]);
    const weights = fc.array(fc.integer({ min: 1, max: 1_000_000 }), { minLength: 1, maxLength: 16 });
    fc.assert(
      fc.property(weights, fc.double({ min: 0, max: almostOne, noNaN: true }), (drawn, random) => {
        const list = drawn.map((weight, version) => ({ version, weight }));
        expect(pickTarget(list, all, random)).to.be.within(0, list.length - 1);
      }),
    );
  });
});

describe("picking a replica", () => {
  const random = new Random(3);
  const next = () => random.uniform();

  it("takes the less busy of two, and never the busiest of all", () => {
    const load = (address: string) => Number(address);
    for (let i = 0; i < 1000; i++) expect(pick(["0", "1", "2", "3"], load, next)).not.to.equal("3");
    for (let i = 0; i < 100; i++) expect(pick(["5", "4"], load, next)).to.equal("4");
  });

  it("spreads evenly over equally busy ones", () => {
    const counts = new Map<string, number>();
    for (let i = 0; i < 9000; i++) {
      const picked = pick(["a", "b", "c"], () => 0, next);
      counts.set(picked, (counts.get(picked) ?? 0) + 1);
    }
    // Six standard deviations of a binomial count.
    for (const count of counts.values()) expect(Math.abs(count - 3000)).to.be.below(6 * Math.sqrt(9000 * (2 / 9)));
  });

  it("takes one that cannot be reached only where there is no other", () => {
    const load = (address: string) => (address === "dead" ? Infinity : 1000);
    for (let i = 0; i < 100; i++) expect(pick(["dead", "a", "b"], load, next)).not.to.equal("dead");
    expect(pick(["dead"], load, next)).to.equal("dead");
  });

  it("is always one of them, whatever the random numbers", () => {
    const almostOne = 1 - 2 ** -53;
    for (const value of [0, 0.5, almostOne]) {
      for (let count = 1; count < 6; count++) {
        const addresses = Array.from({ length: count }, (_, i) => String(i));
        expect(addresses).to.include(
          pick(
            addresses,
            () => 0,
            () => value,
          ),
        );
      }
    }
  });
});
