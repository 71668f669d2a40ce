import { expect } from "chai";
import fc from "fast-check";
import { Line, type Spot } from "../../services/inference/batching/line.ts";

describe("a line", () => {
  it("keeps the order of arrival, whoever leaves", () => {
    fc.assert(
      fc.property(fc.array(fc.option(fc.nat(20))), (steps) => {
        const line = new Line<number>();
        const spots: Spot<number>[] = [];
        for (const [count, leaving] of steps.entries()) {
          if (leaving === null) spots.push(line.enter(count));
          else for (const spot of spots.splice(leaving, 1)) line.leave(spot);
          expect([...line]).to.deep.equal(spots.map(({ entry }) => entry));
          expect(line.length).to.equal(spots.length);
        }
      }),
    );
  });

  it("lets whoever is looked at leave", () => {
    const line = new Line<string>();
    const spots = new Map([..."abc"].map((name) => [name, line.enter(name)]));
    const seen: string[] = [];
    for (const name of line) {
      seen.push(name);
      line.leave(spots.get(name)!);
    }
    expect([seen, line.length]).to.deep.equal([["a", "b", "c"], 0]);
  });

  it("keeps hold of nobody through one that has left", () => {
    const line = new Line<string>();
    const [, b] = [..."abc"].map((name) => line.enter(name));
    line.leave(b);
    expect(b).to.deep.equal({ entry: "b", before: undefined, behind: undefined });
  });
});
