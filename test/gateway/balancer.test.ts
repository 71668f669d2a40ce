import { expect } from "chai";
import fc from "fast-check";
import { Balancer } from "../../services/gateway/balance/balancer.ts";
import { tableOf } from "../../services/gateway/route-table.ts";
import { presets, shareOf, stage } from "./balance-stage.ts";
import { Simulation } from "./simulation.ts";

describe("balancing", () => {
  for (const [load, perSecond] of [
    ["little", 20],
    ["much", 560],
  ] as const) {
    it(`spreads ${load} load by capacity`, () => {
      const counts = stage({ one: 1, two: 2, four: 4 }).run(perSecond, 10_000 / perSecond);
      for (const [name, share] of [
        ["one", 1 / 7],
        ["two", 2 / 7],
        ["four", 4 / 7],
      ] as const) {
        expect(shareOf(counts, name), name).to.be.within(share * 0.85, share * 1.15);
      }
    });
  }

  it("gives a slow node less", () => {
    const { node, run } = stage({ a: 4, b: 4, slow: 4 }, { ejection: { ...presets.ejection, latencyFactor: 0 } });
    node("slow").behave = () => ({ ms: 40 });
    const counts = run(700, 20);
    expect(shareOf(counts, "slow")).to.be.within(0.05, 0.2);
  });

  it("takes one that cannot be reached only where there is no other", () => {
    const { node, pick } = stage({ a: 1, b: 1, dead: 64 });
    node("dead").isReachable = false;
    for (let count = 0; count < 1000; count++) expect(pick()).not.to.equal("dead");
    for (const name of ["a", "b"]) node(name).isReachable = false;
    expect(pick()).to.be.oneOf(["a", "b", "dead"]);
  });

  it("chooses among the candidates, whatever the random numbers and the capacities", () => {
    const all = fc.array(fc.record({ capacity: fc.integer({ min: 1, max: 256 }), isCandidate: fc.boolean() }), {
      minLength: 1,
      maxLength: 20,
    });
    const almostOne = 1 - 2 ** -53;
    fc.assert(
      fc.property(all, fc.constantFrom(0, 0.3, almostOne), (nodes, value) => {
        const facts = new Map(nodes.map(({ capacity }, index) => [String(index), { zone: "", capacity }] as const));
        const replicas = [...facts.keys()];
        const asked = replicas.filter((_, index) => nodes[index]!.isCandidate);
        const parts = { node: () => undefined, clock: new Simulation(), random: () => value };
        const route = { model: "m", version: 1, replicas, reason: "", memory: {} };
        const candidates = asked.length > 0 ? asked : replicas;
        expect(candidates).to.include(new Balancer(presets, parts).pick(route, facts, candidates));
      }),
    );
  });

  it("forgets versions that are not in the table any longer", () => {
    const { balancer, pick, note } = stage({ a: 1, b: 1 });
    pick();
    for (let count = 0; count < 5; count++) note("a", "failed");
    expect([...balancer.ejected()]).to.deep.equal([{ model: "m", version: 1, node: "a" }]);
    balancer.retain(tableOf([]).models);
    expect([...balancer.ejected()]).to.deep.equal([]);
  });
});

describe("the slow start of a replica", () => {
  const share = (counts: Readonly<Record<string, number>>) => shareOf(counts, "new");

  it("lets its share grow over the window", () => {
    const { takeOver, run } = stage({ a: 8, b: 8, new: 8 });
    takeOver(["a", "b"]);
    expect(run(200, 5)).to.include({ new: 0 });
    takeOver(["a", "b", "new"]);
    const parts = [run(200, 2), run(200, 4), run(200, 4), run(200, 10)].map(share);
    // Of what it would get, which is a third, or up to twice as much while it has nothing to do: the mean of age / window in each part.
    const expected = [0.12, 0.4, 0.8, 1].map((grown) => grown / 3);
    for (const [index, part] of parts.entries()) {
      expect(part, `part ${index}`).to.be.within(expected[index]! * 0.7, expected[index]! * 2.3);
    }
    expect(parts.at(-1)).to.be.below(0.4);
  });

  it("grows sooner with more aggression", () => {
    const of = (aggression: number) => {
      const { takeOver, run } = stage({ a: 8, b: 8, new: 8 }, { slowStart: { windowMs: 10_000, aggression } });
      takeOver(["a", "b"]);
      run(200, 1);
      takeOver(["a", "b", "new"]);
      return share(run(200, 4));
    };
    expect(of(3)).to.be.above(1.5 * of(1));
  });

  it("begins anew when its node was connected again", () => {
    const { clock, node, run } = stage({ a: 8, b: 8, new: 8 });
    expect(share(run(200, 5))).to.be.above(0.25);
    node("new").reconnectedMs = clock.monotonicMs();
    expect(share(run(200, 2))).to.be.below(0.12);
  });

  it("is not there where all are new, nor without a window", () => {
    expect(share(stage({ a: 8, b: 8, new: 8 }).run(200, 5))).to.be.within(0.28, 0.39);
    const { takeOver, run } = stage({ a: 8, b: 8, new: 8 }, { slowStart: { windowMs: 0, aggression: 1 } });
    takeOver(["a", "b"]);
    run(200, 1);
    takeOver(["a", "b", "new"]);
    expect(share(run(200, 5))).to.be.within(0.28, 0.39);
  });
});

describe("the ejection of outliers", () => {
  const all = { a: 4, b: 4, c: 4, bad: 4 };

  it("keeps a node that fails fast from drawing the calls to itself", () => {
    const { node, run, failed } = stage(all);
    node("bad").behave = () => ({ ms: 0.1, fails: true });
    const counts = run(500, 20);
    expect(shareOf(counts, "bad")).to.be.below(0.01);
    expect(failed()).to.be.below(20);
  });

  it("keeps it from that even where it may not be ejected", () => {
    const ejection = { ...presets.ejection, shareMax: 0 };
    const { node, run } = stage({ good: 4, bad: 4 }, { ejection });
    node("bad").behave = () => ({ ms: 0.1, fails: true });
    expect(shareOf(run(300, 20), "bad")).to.be.below(0.08);
  });

  it("finds a node that answers nobody by those who wait no longer", () => {
    const { node, run } = stage(all);
    run(200, 5);
    node("bad").behave = () => ({ ms: undefined });
    run(200, 5, 500);
    expect(shareOf(run(200, 20, 500), "bad")).to.be.below(0.01);
  });

  it("does not blame a node for callers that hardly wait", () => {
    const { balancer, run } = stage(all);
    run(200, 5);
    run(200, 5, 4);
    expect([...balancer.ejected()]).to.deep.equal([]);
  });

  it("ejects by latency beside the median of the version's replicas", () => {
    const { node, balancer, run } = stage(all);
    node("bad").behave = () => ({ ms: 45 });
    run(200, 10);
    expect([...balancer.ejected()]).to.deep.equal([]);
    node("bad").behave = () => ({ ms: 100 });
    run(200, 10);
    expect([...balancer.ejected()]).to.deep.equal([{ model: "m", version: 1, node: "bad" }]);
  });

  it("lasts longer from time to time, and is over when a call shows that the node is well", () => {
    const { clock, node, run } = stage(all);
    const bad = node("bad");
    bad.behave = () => ({ ms: 1, fails: true });
    const tried: number[] = [];
    run(200, 1);
    for (let second = 1; second < 100; second++) {
      const before = bad.calls;
      run(200, 1);
      if (bad.calls > before) tried.push(Math.round(clock.monotonicMs() / 1000));
    }
    const gaps = tried.slice(1).map((second, index) => second - tried[index]!);
    expect(gaps.slice(0, 2)).to.deep.equal([20, 30]);
    bad.behave = () => ({ ms: 10 });
    run(200, 60);
    expect(shareOf(run(200, 10), "bad")).to.be.within(0.2, 0.3);
  });

  it("is never of more replicas than the bound, nor of the last one that can answer", () => {
    const names = ["a", "b", "c", "d", "e", "f"];
    const steps = fc.array(
      fc.oneof(
        fc.record({ kind: fc.constant("fail" as const), node: fc.constantFrom(...names), times: fc.nat(12) }),
        fc.record({ kind: fc.constant("answer" as const), node: fc.constantFrom(...names) }),
        fc.record({ kind: fc.constant("pass" as const), ms: fc.nat(30_000) }),
        fc.record({ kind: fc.constant("pick" as const) }),
        fc.record({ kind: fc.constant("lose" as const), node: fc.constantFrom(...names), isReachable: fc.boolean() }),
        fc.record({ kind: fc.constant("set" as const), replicas: fc.subarray(names, { minLength: 1 }) }),
      ),
      { maxLength: 60 },
    );
    fc.assert(
      fc.property(steps, fc.constantFrom(0, 0.1, 0.5, 1), (all, shareMax) => {
        const { clock, node, balancer, pick, note, takeOver } = stage(
          Object.fromEntries(names.map((name) => [name, 1])),
          { ejection: { ...presets.ejection, shareMax } },
        );
        let replicas = names;
        for (const step of all) {
          const before = [...balancer.ejected()].length;
          if (step.kind === "fail") for (let time = 0; time < step.times; time++) note(step.node, "failed");
          else if (step.kind === "answer") note(step.node, "answered");
          else if (step.kind === "pass") clock.run(step.ms);
          else if (step.kind === "lose") node(step.node).isReachable = step.isReachable;
          else if (step.kind === "set") {
            replicas = step.replicas;
            takeOver(replicas);
          }
          const picked = pick();
          const ejected = [...balancer.ejected()].map((each) => each.node);
          const isWell = (name: string) => node(name).isReachable && !ejected.includes(name);
          expect(replicas).to.include(picked);
          expect(ejected.length).to.be.at.most(Math.min(replicas.length * shareMax, replicas.length - 1));
          if (replicas.some((name) => node(name).isReachable)) expect(node(picked).isReachable).to.equal(true);
          if (ejected.length > before) expect(replicas.some(isWell)).to.equal(true);
        }
      }),
      { numRuns: 500 },
    );
  });
});

describe("the zone of a gateway", () => {
  const settings = { zone: "near" };
  const nodes = { "near-1": 4, "near-2": 4, "far-1": 4, "far-2": 4, "far-3": 4 };
  const farShare = (counts: Readonly<Record<string, number>>) =>
    shareOf(counts, "far-1") + shareOf(counts, "far-2") + shareOf(counts, "far-3");

  it("gets the calls as long as its nodes can take them", () => {
    expect(farShare(stage(nodes, settings).run(300, 20))).to.be.below(0.03);
  });

  it("is helped by others where it has more to do than it can", () => {
    const { run, node } = stage(nodes, settings);
    const counts = run(1400, 20);
    expect(farShare(counts)).to.be.within(0.3, 0.6);
    expect(Math.max(...Object.keys(nodes).map((name) => node(name).outstanding))).to.be.below(20);
  });

  it("is helped where too few of its nodes are left, and at once where none is", () => {
    const { run, node } = stage(nodes, settings);
    node("near-1").isReachable = false;
    expect(farShare(run(600, 20))).to.be.within(0.3, 0.7);
    node("near-2").isReachable = false;
    expect(farShare(run(600, 5))).to.equal(1);
  });

  it("does not matter where nobody says it, or it is said that it does not", () => {
    expect(farShare(stage(nodes).run(300, 20))).to.be.within(0.5, 0.7);
    expect(farShare(stage(nodes, { ...settings, zoneCallsPerCore: 0 }).run(300, 20))).to.be.within(0.5, 0.7);
    expect(farShare(stage(nodes, { zone: "elsewhere" }).run(300, 20))).to.be.within(0.5, 0.7);
  });
});
