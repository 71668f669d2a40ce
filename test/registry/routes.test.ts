import { expect } from "chai";
import fc from "fast-check";
import { RouteFeed } from "../../services/registry/control/route-feed.ts";
import { aliasTargets, changeOf, type ModelRoute, type RouteChange } from "../../services/registry/control/routes.ts";

type Table = ReadonlyMap<string, ModelRoute>;

const addresses = fc.uniqueArray(fc.constantFrom("n1:1", "n2:1", "n3:1")).map((list) => list.sort());
const versionRoutes = fc
  .array(addresses, { maxLength: 3 })
  .map((list) => list.map((held, index) => ({ version: index + 1, addresses: held })));
const aliases = fc
  .uniqueArray(fc.tuple(fc.constantFrom("canary", "default"), fc.integer({ min: 1, max: 3 })), {
    selector: ([alias]) => alias,
  })
  .map((pairs) => new Map(pairs));
const routes = fc
  .tuple(fc.constantFrom("a", "b", "c", "d"), versionRoutes, aliases)
  .map(([model, versions, targets]): ModelRoute => ({ model, versions, aliases: targets }));
const tables: fc.Arbitrary<Table> = fc
  .uniqueArray(routes, { selector: ({ model }) => model })
  .map((list) => new Map(list.map((route) => [route.model, route])));

/** What leads from one table to another. */
function changesBetween(before: Table, after: Table): RouteChange[] {
  const models = new Set([...before.keys(), ...after.keys()]);
  return [...models].flatMap((model) => changeOf(before.get(model), after.get(model)) ?? []);
}

function applied(table: Table, changes: readonly RouteChange[]): Table {
  const next = new Map(table);
  for (const change of changes) {
    if (change.kind === "changed") next.set(change.route.model, change.route);
    else next.delete(change.model);
  }
  return next;
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

  it("reach whoever follows them, whatever was published and whenever it was taken", async () => {
    const step = fc.oneof({ weight: 3, arbitrary: tables }, { weight: 1, arbitrary: fc.constant("take" as const) });
    await fc.assert(
      fc.asyncProperty(tables, fc.array(step, { maxLength: 12 }), async (first, steps) => {
        const feed = new RouteFeed();
        let published: Table = new Map();
        const publish = (table: Table) => {
          for (const change of changesBetween(published, table)) feed.publish(change);
          published = table;
        };
        publish(first);
        const { snapshot, follower } = feed.follow();
        let seen: Table = new Map(snapshot.map((route) => [route.model, route]));
        const never = new AbortController().signal;
        const take = async () => {
          seen = applied(seen, await follower.take(never));
        };
        let isBehind = false;
        for (const next of steps) {
          if (next === "take") {
            if (isBehind) await take();
            isBehind = false;
          } else {
            isBehind ||= changesBetween(published, next).length > 0;
            publish(next);
          }
        }
        if (isBehind) await take();
        expect(seen).to.deep.equal(published);
      }),
    );
  });

  it("that a slow follower has not taken are at most one change per model", async () => {
    const feed = new RouteFeed();
    const { follower } = feed.follow();
    for (let version = 1; version <= 1000; version++) {
      feed.publish({
        kind: "changed",
        route: { model: "m", versions: [{ version, addresses: [] }], aliases: new Map() },
      });
    }
    const [change, ...more] = await follower.take(new AbortController().signal);
    expect(change).to.deep.include({ kind: "changed" });
    expect(more).to.deep.equal([]);
  });

  it("no longer reach a follower that has closed, and a waiting one ends with its signal", async () => {
    const feed = new RouteFeed();
    const { follower } = feed.follow();
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

describe("targets of aliases", () => {
  const previous: ModelRoute = { model: "m", versions: [], aliases: new Map([["default", 1]]) };
  const targets = (wanted: number, ready: readonly number[], before?: ModelRoute) =>
    aliasTargets(new Map([["default", wanted]]), (version) => ready.includes(version), before).get("default");

  it("stay where they were until the new version is ready", () => {
    expect(targets(2, [1], previous)).to.equal(1);
    expect(targets(2, [1, 2], previous)).to.equal(2);
  });

  it("move at once where the old version is not ready either, or where there was none", () => {
    expect(targets(2, [], previous)).to.equal(2);
    expect(targets(2, [1], undefined)).to.equal(2);
  });
});
