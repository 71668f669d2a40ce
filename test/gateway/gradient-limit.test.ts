import { expect } from "chai";
import { Random } from "../../lib/random.ts";
import { GradientLimit, type GradientSettings } from "../../services/gateway/admission/gradient-limit.ts";
import { SimulatedNode, Simulation } from "./simulation.ts";

/** Answers a call some time, with whether it was answered. */
type Serve = (ended: () => void) => void;

/** Something that answers calls, behind a limit; and callers. */
function stage(
  perSecond: number,
  serve: (clock: Simulation, random: Random) => Serve,
  settings: Partial<GradientSettings> = {},
) {
  const clock = new Simulation();
  const random = new Random(7);
  const limit = new GradientLimit({ latencyTolerance: 4, latencySlackMs: 20, callsMax: 10_000, ...settings }, clock);
  const answer = serve(clock, random);
  const latencies: number[] = [];
  let refused = 0;
  const call = () => {
    if (!limit.enter(8)) {
      refused++;
      return;
    }
    const beganMs = clock.now();
    answer(() => {
      latencies.push(clock.now() - beganMs);
      limit.leave("answered", clock.now() - beganMs);
    });
  };
  /** Lets calls come at a load for as long as that answers so many, and tells what came of them. */
  const run = (load: number, calls: number) => {
    latencies.splice(0);
    refused = 0;
    const forMs = (calls * 1000) / perSecond;
    clock.poisson(load * perSecond, clock.now() + forMs, random, call);
    clock.run(forMs);
    latencies.sort((a, b) => a - b);
    return {
      goodput: latencies.length / calls,
      p99: latencies[Math.floor(latencies.length * 0.99)]!,
      refused: refused / (load * calls),
    };
  };
  return { clock, limit, run };
}

/** Cores whose calls take half to one and a half of a time. */
function cores(count: number, meanMs: number | (() => number)) {
  const mean = typeof meanMs === "number" ? () => meanMs : meanMs;
  return (clock: Simulation, random: Random): Serve => {
    const node = new SimulatedNode(clock, "n", count, () => ({ ms: mean() * (0.5 + random.uniform()) }));
    return (ended) => node.call(ended);
  };
}

/** One after the other, as many calls at once as wait, up to 32. */
function batches(clock: Simulation): Serve {
  const waiting: (() => void)[] = [];
  let isBusy = false;
  const next = () => {
    const batch = waiting.splice(0, 32);
    isBusy = batch.length > 0;
    if (!isBusy) return;
    clock.after(2 + 0.5 * batch.length, () => {
      for (const ended of batch) ended();
      next();
    });
  };
  return (ended) => {
    waiting.push(ended);
    if (!isBusy) next();
  };
}

describe("the limit of calls under way", () => {
  for (const [name, count, meanMs] of [
    ["a quick model on many cores", 32, 5],
    ["a model on a few cores", 4, 20],
    ["a model that does one call after the other", 1, 50],
    ["a slow model", 2, 1000],
  ] as const) {
    it(`keeps ${name} useful and quick at three times the load that it can take, however long that lasts`, () => {
      const { run } = stage((count * 1000) / meanMs, cores(count, meanMs));
      run(3, 20_000);
      for (let part = 0; part < 3; part++) {
        const { goodput, p99 } = run(3, 5000);
        expect(goodput, `goodput of part ${part}`).to.be.above(0.9);
        expect(p99, `p99 of part ${part}`).to.be.below(12 * meanMs);
      }
    });

    it(`refuses nothing of ${name} at a load that it can take`, () => {
      const { run } = stage((count * 1000) / meanMs, cores(count, meanMs));
      expect(run(0.7, 20_000).refused).to.equal(0);
    });
  }

  it("leaves enough for batches", () => {
    const perSecond = 32 / 0.018;
    const { run } = stage(perSecond, batches);
    run(3, 20_000);
    const { goodput, p99 } = run(3, 20_000);
    expect(goodput).to.be.above(0.95);
    expect(p99).to.be.below(200);
    expect(stage(perSecond, batches).run(0.8, 20_000).refused).to.equal(0);
  });

  it("lets everything in again when an overload is over", () => {
    const { run } = stage(200, cores(4, 20));
    expect(run(3, 5000).refused).to.be.above(0.5);
    run(0.6, 400);
    expect(run(0.6, 20_000).refused).to.be.below(0.001);
  });

  it("learns within a minute that a model takes longer than it did", () => {
    let meanMs = 20;
    const { run } = stage(
      200,
      cores(4, () => meanMs),
    );
    run(0.1, 2000);
    meanMs = 150;
    run(0.08, 200 * 60);
    expect(run(0.08, 20_000).refused).to.be.below(0.01);
  });

  it("falls where callers leave before they are answered", () => {
    const { clock, limit, run } = stage(200, cores(4, 20));
    run(0.5, 1000);
    for (let second = 0; second < 20; second++) {
      const calls = Array.from({ length: 200 }, () => limit.enter(8)).filter(Boolean);
      clock.run(1000);
      for (const _ of calls) limit.leave("cut", 1000);
    }
    expect(limit.limit).to.be.below(30);
  });

  it("takes no notice of callers that hardly wait, nor of calls that fail", () => {
    const { clock, limit, run } = stage(200, cores(4, 20));
    run(0.5, 1000);
    const before = limit.limit;
    for (let count = 0; count < 2000; count++) {
      limit.enter(8);
      clock.run(2);
      limit.leave(count % 2 === 0 ? "cut" : "failed", 2);
    }
    expect(limit.limit).to.equal(before);
  });

  it("falls where replicas say that they have too much to do", () => {
    const { clock, limit } = stage(200, cores(4, 20));
    for (let round = 0; round < 60; round++) {
      const entered = Array.from({ length: 200 }, () => limit.enter(8)).filter(Boolean);
      clock.run(20);
      for (const [index] of entered.entries()) limit.leave(index % 2 === 0 ? "refused" : "answered", 20);
    }
    expect(limit.limit).to.be.below(60);
  });

  it("is only the highest one where latencies are not to be looked at", () => {
    const { limit, run } = stage(200, cores(4, 20), { latencyTolerance: 0, callsMax: 500 });
    run(3, 5000);
    expect(limit.limit).to.equal(500);
    expect(limit.underWay).to.equal(500);
  });
});
