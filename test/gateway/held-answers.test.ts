import { expect } from "chai";
import { HeldAnswers } from "../../services/gateway/held-answers.ts";
import { eventually } from "./harness.ts";

describe("the answers that a gateway holds", () => {
  /** Bounds answers of ten bytes each, by when some was last taken and whether any was; answers which of them are left. */
  const leftOf = async (bytesMax: number, takings: readonly (readonly [sinceMs: number, hasBegun: boolean])[]) => {
    const held = new HeldAnswers(bytesMax);
    const left = new Set<number>();
    const nowMs = performance.now();
    held.watch((visit) => {
      for (const [index, [sinceMs, hasBegun]] of takings.entries()) {
        if (!left.has(index)) continue;
        const abandon = () => {
          left.delete(index);
          held.waiting.add(-10);
        };
        visit({ isWaiting: true, taking: { lastMs: nowMs - sinceMs, hasBegun } as never, abandon });
      }
    });
    for (const index of takings.keys()) {
      left.add(index);
      held.waiting.add(10);
    }
    await eventually(() => expect(held.waiting.bytes).to.be.at.most(bytesMax));
    expect(held.abandonedCount).to.equal(takings.length - left.size);
    return [...left];
  };

  it("all stay while there is room", async () => {
    const takings = [
      [1e6, false],
      [0, true],
    ] as const;
    expect(await leftOf(20, takings)).to.deep.equal([0, 1]);
  });

  it("go in the order in which they are not read", async () => {
    const takings = [
      [500, true],
      [3, false],
      [2, false],
      [4, true],
      [3000, false],
      [2000, true],
    ] as const;
    expect(await leftOf(50, takings)).to.deep.equal([0, 1, 2, 3]);
    expect(await leftOf(25, takings)).to.deep.equal([0, 3]);
    expect(await leftOf(15, takings)).to.deep.equal([3]);
  });
});
