import { expect } from "chai";
import { nearestNames } from "../lib/nearest-names.ts";

describe("the nearest names", () => {
  it("come first, then the alphabet", () => {
    expect(nearestNames("digts", ["zebra", "digits", "ants", "digests"], 3)).to.deep.equal([
      "digits",
      "digests",
      "ants",
    ]);
    expect(nearestNames("", ["b", "a"], 3)).to.deep.equal(["a", "b"]);
  });

  it("cost little among very many", () => {
    const names = Array.from({ length: 10_000 }, (_, i) => `${"x".repeat(50)}-${i}`);
    expect(nearestNames(`${"x".repeat(50)}-777`, names, 1)).to.deep.equal([`${"x".repeat(50)}-777`]);
  });
});
