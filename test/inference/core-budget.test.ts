import { expect } from "chai";
import fc from "fast-check";
import { CoreBudget } from "../../services/inference/replicas/core-budget.ts";
import { ManualClock } from "../manual-clock.ts";

describe("the cores of a node", () => {
  let clock: ManualClock;
  let cores: CoreBudget;
  let turns: string[];
  beforeEach(() => {
    clock = new ManualClock();
    cores = new CoreBudget({ coreCount: 4, waitMsMax: 20, clock });
    turns = [];
  });
  const wait = (name: string, threadCount: number) =>
    cores.wait(threadCount, () => {
      turns.push(name);
      cores.take(threadCount);
    });

  it("are taken by runs until there are too few, and are there again when these end", () => {
    cores.take(3);
    expect([cores.hasRoom(1), cores.hasRoom(2)]).to.deep.equal([true, false]);
    cores.giveBack(3);
    expect(cores.hasRoom(4)).to.equal(true);
  });

  it("go to those that wait, in the order of their asking, as soon as there are enough for the first one", () => {
    cores.take(2);
    cores.take(2);
    wait("a", 3);
    wait("b", 1);
    wait("c", 1);
    cores.giveBack(2);
    expect(turns).to.deep.equal([]);
    cores.giveBack(2);
    expect(turns).to.deep.equal(["a", "b"]);
    cores.giveBack(1);
    expect(turns).to.deep.equal(["a", "b", "c"]);
  });

  it("are shared by a run that has waited for as long as it has to, and by none that no longer wants to", () => {
    cores.take(4);
    wait("a", 2);
    const leave = wait("b", 2);
    leave();
    clock.advance(19);
    expect(turns).to.deep.equal([]);
    clock.advance(1);
    expect(turns).to.deep.equal(["a"]);
    cores.giveBack(4);
    expect([turns, cores.hasRoom(2), cores.hasRoom(3)]).to.deep.equal([["a"], true, false]);
  });

  it("are never taken by more threads than there are cores, but for runs that have waited; each has one turn, in time", () => {
    const step = fc.oneof(
      fc.record({ kind: fc.constant("ask" as const), threads: fc.integer({ min: 1, max: 4 }) }),
      fc.record({ kind: fc.constant("end" as const), at: fc.nat(5) }),
      fc.record({ kind: fc.constant("advance" as const), byMs: fc.nat(15) }),
    );
    fc.assert(
      fc.property(fc.array(step, { maxLength: 60 }), (steps) => {
        clock = new ManualClock();
        cores = new CoreBudget({ coreCount: 4, waitMsMax: 20, clock });
        const running: number[] = [];
        let askedCount = 0;
        let turnCount = 0;
        for (const next of steps) {
          if (next.kind === "advance") clock.advance(next.byMs);
          else if (next.kind === "end") for (const threads of running.splice(next.at, 1)) cores.giveBack(threads);
          else {
            const askedMs = clock.now();
            askedCount++;
            cores.wait(next.threads, () => {
              turnCount++;
              const waitedMs = clock.now() - askedMs;
              expect(waitedMs).to.be.at.most(20);
              const inUse = running.reduce((sum, threads) => sum + threads, 0);
              if (waitedMs < 20) expect(inUse + next.threads).to.be.at.most(4);
              running.push(next.threads);
              cores.take(next.threads);
            });
          }
        }
        clock.advance(20);
        expect(turnCount).to.equal(askedCount);
      }),
    );
  });
});
