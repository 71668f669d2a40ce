import { expect } from "chai";
import fc from "fast-check";
import type { Trial } from "../../services/trainer/jobs/job.ts";
import { leaderboardOf } from "../../services/trainer/jobs/leaderboard.ts";
import { bestOf, mayAdvance, nextMove, type Strategy } from "../../services/trainer/work/sweep/strategy.ts";

const fresh: Trial = { job: "j", parameters: {}, scores: [], epochs: 0, state: "running" };

describe("successive halving", () => {
  /** Runs a sweep by itself: each trial has its quality, and `parallel` of them run at a time, ended in an order by chance. */
  const run = (
    strategy: Strategy,
    quality: readonly number[],
    parallel: number,
    order: () => number,
    onAdvance: (trials: readonly Trial[], index: number) => void = () => undefined,
  ) => {
    let trials: readonly Trial[] = [];
    const keep = (index: number, trial: Trial) => {
      const next = [...trials];
      next[index] = trial;
      trials = next;
    };
    for (;;) {
      for (;;) {
        const running = [...trials.keys()].filter((index) => trials[index]!.state === "running");
        if (running.length >= parallel) break;
        const move = nextMove(trials, strategy);
        if (move === undefined) break;
        const index = move.kind === "start" ? trials.length : move.index;
        if (move.kind === "advance") onAdvance(trials, index);
        keep(index, { ...(trials[index] ?? fresh), state: "running" });
      }
      const running = [...trials.keys()].filter((index) => trials[index]!.state === "running");
      if (running.length === 0) return trials;
      const index = running[order() % running.length]!;
      const trial = trials[index]!;
      const failed = Number.isNaN(quality[index]);
      const scores = failed ? trial.scores : [...trial.scores, quality[index]!];
      const state = failed ? "failed" : scores.length === strategy.rungs.length ? "succeeded" : "waiting";
      keep(index, { ...trial, scores, state });
    }
  };
  const strategyOf = (trialCount: number, rungCount: number, reduction: number, lessIsBetter = true): Strategy => ({
    trialCount,
    rungs: Array.from({ length: rungCount }, (_, rung) => reduction ** rung),
    reduction,
    lessIsBetter,
  });

  it("starts all trials, and brings the best of those that do not fail to the last rung", () => {
    const quality = fc.array(fc.oneof({ weight: 9, arbitrary: fc.nat(1000) }, fc.constant(Number.NaN)), {
      minLength: 1,
      maxLength: 60,
    });
    const orders = fc.infiniteStream(fc.nat(1000));
    fc.assert(
      fc.property(
        ...([
          quality,
          fc.integer({ min: 1, max: 4 }),
          fc.integer({ min: 2, max: 4 }),
          fc.integer({ min: 1, max: 8 }),
          orders,
        ] as const),
        (qualities, rungCount, reduction, parallel, stream) => {
          const strategy = strategyOf(qualities.length, rungCount, reduction);
          const trials = run(strategy, qualities, parallel, () => stream.next().value as number);
          const sound = qualities.filter((value) => !Number.isNaN(value));
          expect(trials).to.have.length(qualities.length);
          const best = bestOf(trials, strategy);
          expect(best === undefined).to.equal(sound.length === 0);
          if (best === undefined || sound.length < reduction ** rungCount) return;
          expect(qualities[best]).to.equal(Math.min(...sound));
        },
      ),
      { numRuns: 300 },
    );
  });

  it("keeps the states of few trials, and always that of the one that goes on", () => {
    const qualities = fc.array(fc.oneof(fc.integer({ min: 0, max: 20 }), fc.constant(Number.NaN)), {
      minLength: 1,
      maxLength: 60,
    });
    const small = (min: number, max: number) => fc.integer({ min, max });
    fc.assert(
      fc.property(
        ...([qualities, small(2, 4), small(2, 4), small(1, 8), fc.infiniteStream(fc.nat(1000))] as const),
        (values, rungCount, reduction, parallel, stream) => {
          const strategy = strategyOf(values.length, rungCount, reduction);
          const keptMax = (rungCount - 1) * Math.max(1, Math.floor(values.length / reduction));
          const dropped = new Set<number>();
          run(
            strategy,
            values,
            parallel,
            () => stream.next().value as number,
            (trials, index) => {
              const may = mayAdvance(trials, strategy);
              for (const [other, { state }] of trials.entries()) {
                if (state === "waiting" && !may.has(other)) dropped.add(other);
              }
              expect(dropped).to.not.include(index);
              expect(may.size).to.be.at.most(keptMax);
            },
          );
        },
      ),
    );
  });

  it("brings a trial up as soon as it is among the best, rather than start another", () => {
    const waiting = (score: number): Trial => ({
      job: "j",
      parameters: {},
      scores: [score],
      epochs: 1,
      state: "waiting",
    });
    const strategy = strategyOf(9, 2, 3);
    expect(nextMove([waiting(3), waiting(2)], strategy)).to.deep.equal({ kind: "start" });
    expect(nextMove([waiting(3), waiting(2), waiting(4)], strategy)).to.deep.equal({ kind: "advance", index: 1 });
    expect(nextMove([waiting(3), waiting(2), waiting(4)], { ...strategy, lessIsBetter: false })).to.deep.equal({
      kind: "advance",
      index: 2,
    });
  });

  it("is shown with those that came furthest first, then by what they reached, and the failed ones last", () => {
    const trial = (job: string, state: Trial["state"], ...scores: readonly number[]): Trial => ({
      ...{ job, parameters: {}, epochs: 1, state, scores },
    });
    const trials = [
      trial("failed", "failed"),
      trial("short", "waiting", 0.1),
      trial("worse", "succeeded", 0.2, 0.5),
      trial("new", "running"),
      trial("better", "succeeded", 0.3, 0.4),
    ];
    const order = (less: boolean) => leaderboardOf(trials, less).map(({ job }) => job);
    expect(order(true)).to.deep.equal(["better", "worse", "short", "new", "failed"]);
    expect(order(false)).to.deep.equal(["worse", "better", "short", "new", "failed"]);
  });
});
