import { isDeepStrictEqual } from "node:util";
import { expect } from "chai";
import fc from "fast-check";
import type { NodeRoute } from "../../services/registry/control/node-routes.ts";
import { RouteFeed, type RouteStep } from "../../services/registry/control/route-feed.ts";
import { changeOf, type ModelRoute, type RouteChange } from "../../services/registry/control/routes.ts";
import { aimAt } from "./plan-inputs.ts";

type Table = ReadonlyMap<string, ModelRoute>;
type Nodes = ReadonlyMap<string, NodeRoute>;

const never = new AbortController().signal;
const addresses = fc.uniqueArray(fc.constantFrom("n1:1", "n2:1", "n3:1")).map((list) => list.sort());
const versionRoutes = fc
  .array(fc.record({ addresses, reason: fc.constantFrom("", "it is loading on n1") }), { maxLength: 3 })
  .map((list) => list.map((held, index) => ({ version: index + 1, ...held })));
const aliases = fc
  .uniqueArray(fc.tuple(fc.constantFrom("canary", "default"), fc.integer({ min: 1, max: 3 })), {
    selector: ([alias]) => alias,
  })
  .map((pairs) => new Map(pairs.map(([alias, revision]) => [alias, aimAt(revision, revision)])));
const routes = fc
  .tuple(fc.constantFrom("a", "b", "c", "d"), versionRoutes, aliases, fc.constantFrom(undefined, "user", "session"))
  .map(
    ([model, versions, targets, stickyKey]): ModelRoute => ({
      model,
      versions,
      aliases: targets,
      traffic: stickyKey === undefined ? undefined : trafficOf(stickyKey),
    }),
  );
const tables: fc.Arbitrary<Table> = fc
  .uniqueArray(routes, { selector: ({ model }) => model })
  .map((list) => new Map(list.map((route) => [route.model, route])));

const nodes: fc.Arbitrary<Nodes> = fc
  .uniqueArray(
    fc.record({
      address: fc.constantFrom("n1:1", "n2:1", "n3:1"),
      zone: fc.constantFrom("", "z"),
      capacity: fc.constantFrom(1, 2),
    }),
    { selector: ({ address }) => address },
  )
  .map((list) => new Map(list.map((node) => [node.address, node])));

function trafficOf(stickyKey: string): ModelRoute["traffic"] {
  const rest = { versionOverride: false, hedging: null, perPrincipal: null, total: null };
  return { defaultTimeoutMs: 0, stickyKey, ...rest };
}

const routeOf = (model: string, version = 1): ModelRoute => {
  return { model, versions: [{ version, addresses: [], reason: "" }], aliases: new Map(), traffic: undefined };
};

/** What leads from one table to another. */
function changesBetween(before: Table, after: Table): RouteChange[] {
  const models = new Set([...before.keys(), ...after.keys()]);
  return [...models].flatMap((model) => changeOf(before.get(model), after.get(model)) ?? []);
}

function applied(table: Table, changes: readonly RouteChange[]): Table {
  const next = new Map(table);
  for (const change of changes) {
    if (change.kind === "changed") next.set(change.route.model, change.route);
    if (change.kind === "removed") next.delete(change.model);
  }
  return next;
}

/** A gateway: knows a table as of a number, takes steps, and connects again from where it was. */
class Gateway {
  table: Table = new Map();
  nodes: Nodes = new Map();
  readonly begun: string[] = [];
  readonly #feed: RouteFeed;
  #epoch = "";
  #sequence = 0;
  #follower: ReturnType<RouteFeed["follow"]>["follower"];

  constructor(feed: RouteFeed) {
    this.#feed = feed;
    this.#follower = this.connect();
  }

  connect() {
    this.#follower?.close();
    const { beginning, follower } = this.#feed.follow(this.#epoch, this.#sequence);
    this.begun.push(beginning.kind);
    if (beginning.kind === "snapshot") {
      this.table = new Map(beginning.routes.map((route) => [route.model, route]));
      this.nodes = new Map(beginning.nodes.map((node) => [node.address, node]));
    } else expect(beginning.sequence).to.equal(this.#sequence);
    this.#epoch = this.#feed.epoch;
    this.#sequence = beginning.sequence;
    this.#follower = follower;
    return follower;
  }

  async take(): Promise<void> {
    const isIdle = Symbol("nothing to take");
    const idle = AbortSignal.abort(isIdle);
    const none = (failure: unknown): readonly RouteStep[] => {
      expect(failure).to.equal(isIdle);
      return [];
    };
    for (const { sequence, change } of await this.#follower.take(idle).catch(none)) {
      expect(sequence).to.be.above(this.#sequence);
      this.#sequence = sequence;
      this.table = applied(this.table, [change]);
      if (change.kind === "node") this.nodes = new Map(this.nodes).set(change.node.address, change.node);
    }
  }
}

describe("routes", () => {
  it("changed by the differences of two tables turn the one into the other", () => {
    fc.assert(
      fc.property(tables, tables, (before, after) => {
        expect(applied(before, changesBetween(before, after))).to.deep.equal(after);
      }),
    );
  });

  it("have no differences from a copy of themselves", () => {
    fc.assert(
      fc.property(tables, (table) => {
        expect(changesBetween(table, structuredClone(table))).to.deep.equal([]);
      }),
    );
  });

  it("reach whoever follows them by growing numbers, whatever was published, and whenever it was taken or followed anew", async () => {
    const step = fc.oneof(
      { weight: 3, arbitrary: fc.tuple(tables, nodes) },
      { weight: 1, arbitrary: fc.constantFrom("take" as const, "connect" as const) },
    );
    const removalsMax = fc.integer({ min: 0, max: 3 });
    await fc.assert(
      fc.asyncProperty(
        fc.tuple(tables, nodes),
        removalsMax,
        fc.array(step, { maxLength: 12 }),
        async (first, max, steps) => {
          const feed = new RouteFeed("epoch", max);
          let published: Table = new Map();
          let known: Nodes = new Map();
          const publish = ([table, present]: readonly [Table, Nodes]) => {
            for (const [address, node] of present) {
              if (!isDeepStrictEqual(node, known.get(address))) feed.publish({ kind: "node", node });
            }
            for (const change of changesBetween(published, table)) feed.publish(change);
            for (const address of known.keys()) if (!present.has(address)) feed.forgetNode(address);
            [published, known] = [table, present];
          };
          publish(first);
          const gateway = new Gateway(feed);
          for (const next of steps) {
            if (next === "take") await gateway.take();
            else if (next === "connect") gateway.connect();
            else publish(next);
          }
          await gateway.take();
          expect(gateway.table).to.deep.equal(published);
          for (const [address, node] of known) expect(gateway.nodes.get(address)).to.deep.equal(node);
        },
      ),
    );
  });

  it("go on where a follower was, with nothing that it has seen, and begin anew in another epoch or ahead of the numbers", async () => {
    const feed = new RouteFeed("now");
    for (const model of ["a", "b", "c"]) feed.publish({ kind: "changed", route: routeOf(model) });
    feed.publish({ kind: "removed", model: "a" });
    const { beginning, follower } = feed.follow("now", 2);
    expect(beginning).to.deep.equal({ kind: "resumed", sequence: 2 });
    const missed = await follower.take(never);
    expect(missed.map(({ sequence, change }) => [sequence, change.kind])).to.deep.equal([
      [3, "changed"],
      [4, "removed"],
    ]);
    for (const [epoch, after] of [["before", 2] as const, ["", 0] as const, ["now", 5] as const]) {
      expect(feed.follow(epoch, after).beginning).to.deep.include({ kind: "snapshot", sequence: 4 });
    }
    expect(feed.follow("now", 4).beginning.kind).to.equal("resumed");
  });

  it("forget models that have been gone for long, and whoever may not have heard of them begins anew", () => {
    const feed = new RouteFeed("now", 2);
    for (const model of ["a", "b", "c"]) {
      feed.publish({ kind: "changed", route: routeOf(model) });
      feed.publish({ kind: "removed", model });
    }
    expect(feed.follow("now", 1).beginning).to.deep.equal({
      kind: "snapshot",
      sequence: 6,
      routes: [],
      nodes: [],
    });
    expect(feed.follow("now", 2).beginning.kind).to.equal("resumed");
  });

  it("that a slow follower has not taken are at most one change per model and node, the last one", async () => {
    const feed = new RouteFeed("now");
    const { follower } = feed.follow("", 0);
    const nodeWith = (capacity: number) => ({ kind: "node" as const, node: { address: "n:1", zone: "", capacity } });
    for (let number = 1; number <= 1000; number++) {
      feed.publish(nodeWith(number));
      feed.publish({ kind: "changed", route: routeOf("m", number) });
    }
    const steps = await follower.take(never);
    expect(steps).to.deep.equal([
      { sequence: 1999, change: nodeWith(1000) },
      { sequence: 2000, change: { kind: "changed", route: routeOf("m", 1000) } },
    ]);
  });

  it("forget nodes that are gone at once, and whoever has been away hears of those that came back", async () => {
    const feed = new RouteFeed("now");
    const node = { address: "n:1", zone: "z", capacity: 4 };
    feed.publish({ kind: "node", node });
    feed.forgetNode("n:1");
    expect(feed.follow("", 0).beginning).to.deep.include({ sequence: 1, nodes: [] });
    feed.publish({ kind: "node", node });
    expect(feed.follow("", 0).beginning).to.deep.include({ sequence: 2, nodes: [node] });
    const { beginning, follower } = feed.follow("now", 1);
    expect(beginning.kind).to.equal("resumed");
    expect(await follower.take(never)).to.deep.equal([{ sequence: 2, change: { kind: "node", node } }]);
  });

  it("no longer reach a follower that has closed, and a waiting one ends with its signal", async () => {
    const feed = new RouteFeed("now");
    const { follower } = feed.follow("", 0);
    const left = new AbortController();
    const waiting = follower.take(left.signal);
    left.abort(new Error("left"));
    expect(await waiting.catch((failure: Error) => failure.message)).to.equal("left");
    follower.close();
    feed.publish({ kind: "removed", model: "m" });
    const later = new AbortController();
    const none = follower.take(later.signal);
    later.abort(new Error("nothing came"));
    expect(await none.catch((failure: Error) => failure.message)).to.equal("nothing came");
  });
});
