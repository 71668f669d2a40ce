import { expect } from "chai";
import fc from "fast-check";
import { restartAfter } from "../../supervisor/restart-policy.ts";

const policy = { delayMsMin: 200, delayMsMax: 30_000, steadyMs: 60_000, crashesMax: 20, crashesMaxUnserved: 2 };

describe("the restart policy", () => {
  it("doubles the pause with every crash, up to its bound", () => {
    const delays = [0, 1, 2, 3, 7, 8].map((crashesBefore) => {
      const restart = restartAfter({ crashesBefore, ranMs: 10, hasServed: true }, 0.999_999, policy);
      return restart.kind === "restart" ? restart.delayMs : null;
    });
    expect(delays).to.deep.equal([200, 400, 800, 1600, 25_600, 30_000]);
  });

  it("draws the second half of the pause by lot", () => {
    const crash = { crashesBefore: 2, ranMs: 10, hasServed: true };
    fc.assert(
      fc.property(fc.double({ min: 0, max: 1, maxExcluded: true, noNaN: true }), (random) => {
        const restart = restartAfter(crash, random, policy);
        expect(restart.kind === "restart" && restart.delayMs).to.be.within(400, 800);
      }),
    );
  });

  it("counts a crash after a long run as the first", () => {
    const crash = { crashesBefore: 19, ranMs: 60_000, hasServed: true };
    expect(restartAfter(crash, 0, policy)).to.deep.equal({ kind: "restart", crashes: 1, delayMs: 100 });
  });

  it("gives up after a bounded number of crashes, sooner where the process never served", () => {
    const kindAfter = (crashesBefore: number, hasServed: boolean) =>
      restartAfter({ crashesBefore, ranMs: 10, hasServed }, 0, policy).kind;
    expect([kindAfter(19, true), kindAfter(20, true)]).to.deep.equal(["restart", "give-up"]);
    expect([kindAfter(1, false), kindAfter(2, false)]).to.deep.equal(["restart", "give-up"]);
  });
});
