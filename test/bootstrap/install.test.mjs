import { expect } from "chai";
import { packagesAreStale } from "../../bootstrap/install.mjs";

describe("packages", () => {
  const fresh = { installedMs: 2_000, lockMs: 1_000, lockDigest: "a", stampedDigest: "a" };

  it("are installed where there are none", () => {
    expect(packagesAreStale({ ...fresh, installedMs: null })).to.equal(true);
  });

  it("are installed anew when the lock file is newer and differs from the one they stand for", () => {
    expect(packagesAreStale({ ...fresh, lockMs: 3_000, lockDigest: "b" })).to.equal(true);
    expect(packagesAreStale({ ...fresh, lockMs: 3_000, stampedDigest: null })).to.equal(true);
  });

  it("stay when git has only touched the lock file", () => {
    expect(packagesAreStale({ ...fresh, lockMs: 3_000 })).to.equal(false);
  });

  it("stay when npm itself has installed them after the lock file changed", () => {
    expect(packagesAreStale({ ...fresh, lockDigest: "b" })).to.equal(false);
    expect(packagesAreStale({ ...fresh, stampedDigest: null })).to.equal(false);
  });
});
