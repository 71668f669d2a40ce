import { expect } from "chai";
import fc from "fast-check";
import type { SequencedRef } from "../../services/gateway/model-ref.ts";
import { type RouteTable, tableOf as tableOfRoutes } from "../../services/gateway/route-table.ts";
import { SequenceRouter } from "../../services/gateway/sequence-router.ts";
import { SequenceTable } from "../../services/gateway/sequence-table.ts";
import { ManualClock } from "../manual-clock.ts";

const bounds = { sequencesMax: 100, idleMs: 1000 };
const everywhere = () => true;

/** One model whose alias `default` has the targets and whose versions are ready at addresses. */
const tableOf = (held: Record<number, string[]>, weights: Record<number, number>): RouteTable => {
  const versions = Object.entries(held).map(
    ([number, replicas]) => [Number(number), { replicas, reason: "" }] as const,
  );
  const targets = Object.entries(weights).map(([version, weight]) => ({ version: Number(version), weight }));
  const aliases = new Map([["default", { targets, mirrors: [] }]]);
  return tableOfRoutes([{ model: "m", versions: new Map(versions), aliases, traffic: undefined }]);
};
const refOf = (id: string, step: { starts?: boolean; ends?: boolean } = {}): SequencedRef => ({
  model: "m",
  version: "",
  sequence: { id, starts: step.starts ?? false, ends: step.ends ?? false },
});
const nodesOf = (count: number) => Array.from({ length: count }, (_, index) => `node-${index}:8301`);

describe("a gateway that routes sequences", () => {
  /** Sends a request that is answered; says where. */
  const answered = (router: SequenceRouter, table: RouteTable, ref: SequencedRef, isReachable = everywhere) => {
    const { route, nodes, ended } = router.begin(table, ref, {}, isReachable);
    ended(nodes[0]!, true);
    return `${route.version}@${nodes[0]}`;
  };
  const routerOf = (clock = new ManualClock()) => new SequenceRouter(bounds, clock);

  it("keeps a sequence on its node and version while both are ready, whatever joins, leaves or moves", () => {
    const table = fc.record({
      extra: fc.uniqueArray(fc.nat(20), { maxLength: 8 }),
      weight: fc.integer({ min: 1, max: 100 }),
    });
    fc.assert(
      fc.property(fc.array(table, { minLength: 1, maxLength: 10 }), fc.string({ minLength: 1 }), (tables, id) => {
        const router = routerOf();
        const first = tableOf({ 1: nodesOf(3), 2: nodesOf(3) }, { 1: 50, 2: 50 });
        const place = answered(router, first, refOf(id, { starts: true }));
        const node = place.slice(2);
        for (const { extra, weight } of tables) {
          const addresses = [...new Set([node, ...extra.map((number) => `node-${number}:8301`)])];
          const later = tableOf({ 1: addresses, 2: addresses }, { 1: weight, 2: 101 - weight });
          expect(answered(router, later, refOf(id))).to.equal(place);
        }
      }),
    );
  });

  it("spreads sequences over nodes, and over versions by the weights of an alias", () => {
    const router = routerOf();
    const table = tableOf({ 1: nodesOf(4), 2: nodesOf(4) }, { 1: 75, 2: 25 });
    const counts = new Map<string, number>();
    for (let id = 0; id < 4000; id++) {
      const [version, node] = answered(router, table, refOf(String(id), { starts: true })).split("@") as [
        string,
        string,
      ];
      for (const key of [version, node]) counts.set(key, (counts.get(key) ?? 0) + 1);
    }
    for (const node of nodesOf(4)) expect(counts.get(node), node).to.be.within(850, 1150);
    expect(counts.get("1")).to.be.within(2850, 3150);
  });

  it("finds the same node as another gateway that has never seen the sequence", () => {
    const table = tableOf({ 1: nodesOf(5), 2: nodesOf(5) }, { 1: 50, 2: 50 });
    for (let id = 0; id < 100; id++) {
      const place = answered(routerOf(), table, refOf(String(id), { starts: true }));
      expect(answered(routerOf(), table, refOf(String(id)))).to.equal(place);
    }
  });

  it("goes on elsewhere, with the same version, where the node has gone or cannot be reached", () => {
    const router = routerOf();
    const table = tableOf({ 1: nodesOf(3) }, { 1: 1 });
    const [, node] = answered(router, table, refOf("a", { starts: true })).split("@") as [string, string];
    const unreachable = router.begin(table, refOf("a"), {}, (address) => address !== node);
    expect(unreachable.nodes).to.have.length(1);
    expect(unreachable.nodes).not.to.include(node);
    unreachable.ended(unreachable.nodes[0]!, false);
    expect(answered(router, table, refOf("a"))).to.equal(`1@${node}`);
    const rest = nodesOf(3).filter((address) => address !== node);
    const [, next] = answered(router, tableOf({ 1: rest }, { 1: 1 }), refOf("a")).split("@") as [string, string];
    expect(rest).to.include(next);
    expect(answered(router, table, refOf("a"))).to.equal(`1@${next}`);
  });

  it("lets a START choose the version anew, and try another node", () => {
    const router = routerOf();
    const before = tableOf({ 1: nodesOf(2), 2: nodesOf(2) }, { 1: 1 });
    const after = tableOf({ 1: nodesOf(2), 2: nodesOf(2) }, { 2: 1 });
    expect(answered(router, before, refOf("a", { starts: true }))).to.match(/^1@/);
    expect(answered(router, after, refOf("a"))).to.match(/^1@/);
    const start = router.begin(after, refOf("a", { starts: true }), {}, everywhere);
    expect([start.route.version, start.nodes.length]).to.deep.equal([2, 2]);
    start.ended(start.nodes[1]!, false);
    expect(answered(router, after, refOf("a"))).to.equal(`2@${start.nodes[1]}`);
  });

  it("forgets a sequence with its END, once it is idle, and where there are too many the one that is idle longest", () => {
    const clock = new ManualClock();
    const table = new SequenceTable({ sequencesMax: 3, idleMs: 1000 }, clock);
    const place = { version: 1, node: "n" };
    for (const key of ["a", "b", "c"]) table.set(key, place);
    table.set("a", place);
    table.set("d", place);
    expect(["a", "b", "c", "d"].map((key) => table.get(key) === place)).to.deep.equal([true, false, true, true]);
    clock.advance(999);
    table.set("c", place);
    clock.advance(1);
    expect(["a", "c", "d"].map((key) => table.get(key) === place)).to.deep.equal([false, true, false]);
    table.set("e", place);
    expect(table.size).to.equal(2);
    table.delete("e");
    expect(table.size).to.equal(1);

    const router = routerOf();
    const both = tableOf({ 1: nodesOf(2), 2: nodesOf(2) }, { 1: 1 });
    expect(answered(router, both, refOf("a", { starts: true }))).to.match(/^1@/);
    expect(answered(router, both, refOf("a", { ends: true }))).to.match(/^1@/);
    expect(answered(router, tableOf({ 1: nodesOf(2), 2: nodesOf(2) }, { 2: 1 }), refOf("a"))).to.match(/^2@/);
  });

  it("forgets in the order of the last requests, whatever came and went before", () => {
    const key = fc.constantFrom(..."abcdefgh");
    const step = fc.record({
      kind: fc.constantFrom("set", "set", "set", "delete"),
      key,
      ms: fc.integer({ min: 0, max: 40 }),
    });
    fc.assert(
      fc.property(fc.array(step, { maxLength: 200 }), (steps) => {
        const clock = new ManualClock();
        const table = new SequenceTable({ sequencesMax: 4, idleMs: 100 }, clock);
        let known: { readonly key: string; readonly untilMs: number }[] = [];
        for (const { kind, key, ms } of steps) {
          clock.advance(ms);
          known = known.filter((one) => one.key !== key);
          if (kind === "delete") table.delete(key);
          else {
            table.set(key, { version: 1, node: key });
            known = [...known, { key, untilMs: clock.now() + 100 }]
              .slice(-4)
              .filter(({ untilMs }) => untilMs > clock.now());
          }
          const alive = known.filter(({ untilMs }) => untilMs > clock.now()).map((one) => one.key);
          expect([..."abcdefgh"].filter((one) => table.get(one) !== undefined)).to.have.members(alive);
        }
      }),
    );
  });
});
