import { expect } from "chai";
import { inIdleRounds, secondsBeside } from "../../bench/harness/idle-rounds.ts";

describe("rounds on an otherwise idle machine", () => {
  /** Two rounds, whose figures are their numbers; others have so many seconds of the processors in each. */
  async function measured(othersSeconds: readonly number[]) {
    let seconds = 0;
    const rounds: number[] = [];
    const round = async (number: number) => {
      seconds += othersSeconds[number] ?? 0;
      rounds.push(number);
      return number;
    };
    return { rounds, ...(await inIdleRounds(2, { round }, async () => seconds)) };
  }

  it("are as many as are wanted where others do nothing, behind one that is dropped", async () => {
    const { rounds, figures, othersShares } = await measured([]);
    expect({ rounds, figures, othersShares }).to.deep.equal({
      rounds: [0, 1, 2],
      figures: { round: [1, 2] },
      othersShares: [0, 0],
    });
  });

  it("are measured again where others had the processors", async () => {
    const { rounds, figures, said } = await measured([0, 100, 0, 100]);
    expect(rounds).to.deep.equal([0, 1, 2, 3, 4]);
    expect(figures.round).to.have.members([2, 4]);
    expect(said).to.contain("of 4 rounds 2 had an idle machine").and.to.contain("0.0 % to 0.0 %");
  });

  it("are measured again where processes have ended and taken what they had with them", async () => {
    const { rounds, figures } = await measured([0, -100, 0, 0]);
    expect({ rounds, figures }).to.deep.equal({ rounds: [0, 1, 2, 3], figures: { round: [2, 3] } });
  });

  it("are the most idle ones where the machine is never idle, and say so", async () => {
    const { rounds, figures, othersShares, said } = await measured([0, 9e9, 1e3, 9e9, 9e9, 1e6, 9e9]);
    expect(rounds.length).to.equal(1 + 2 * 3);
    expect(figures.round).to.deep.equal([2, 5]);
    expect(othersShares[0]).to.be.below(othersShares[1]!);
    expect(said).to.contain("of 6 rounds 0 had an idle machine");
  });

  it("are not busy by what the bench itself has started, at whatever depth", () => {
    const process = (pid: number, parent: number, own: number, ended = 0) => ({ pid, parent, own, ended });
    const shell = process(2, 1, 3, 4);
    const bench = [process(10, 2, 100), process(11, 10, 100, 100), process(12, 11, 100)];
    expect(secondsBeside(10, [process(1, 0, 1), shell, ...bench, process(20, 2, 5)])).to.equal(1 + 3 + 4 + 5);
  });
});
