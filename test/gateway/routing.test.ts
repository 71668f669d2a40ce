import { expect } from "chai";
import fc from "fast-check";
import { ServiceError } from "../../lib/errors.ts";
import type { ModelRoute } from "../../services/gateway/route-facts.ts";
import {
  addressesOf,
  applied,
  type PlacedTable,
  type RouteTable,
  tableOf as tableOfRoutes,
} from "../../services/gateway/route-table.ts";
import { partsOfTable, tableOfText } from "../../services/gateway/route-text.ts";
import { readyReplicas, routeOf } from "../../services/gateway/routing.ts";

/** A route by versions and their addresses, or the reason why there are none, and by aliases and their target. */
const route = (
  model: string,
  versions: [number, string[] | string][],
  aliases: [string, number][] = [],
): ModelRoute => ({
  model,
  versions: new Map(
    versions.map(([version, held]) => [
      version,
      typeof held === "string" ? { replicas: [], reason: held } : { replicas: held, reason: "" },
    ]),
  ),
  aliases: new Map(aliases.map(([alias, version]) => [alias, { targets: [{ version, weight: 1 }], mirrors: [] }])),
  traffic: undefined,
});
const tableOf = (...routes: ModelRoute[]) => tableOfRoutes(routes, [["n:1", { zone: "z", capacity: 2 }]]);

const textOfTable = (placed: PlacedTable) => [...partsOfTable(placed)].join("");
/** As maps of the language, which assertions can look into. */
const plainOf = ({ models, nodes }: RouteTable) => ({ models: new Map(models), nodes: new Map(nodes) });

function faultOf(act: () => unknown): ServiceError {
  try {
    act();
  } catch (failure) {
    if (failure instanceof ServiceError) return failure;
    throw failure;
  }
  return expect.fail("nothing was thrown");
}

describe("a route table", () => {
  const first = tableOf(route("a", [[1, ["n:1"]]]), route("b", []));

  it("does not change when a step makes the next one", () => {
    const next = applied(first, { kind: "changed", model: route("a", [[2, []]]) })!;
    const last = applied(next, { kind: "removed", model: "b" })!;
    expect([...first.models.keys()].sort()).to.deep.equal(["a", "b"]);
    expect([...first.models.get("a")!.versions.keys()]).to.deep.equal([1]);
    expect([...next.models.get("a")!.versions.keys()]).to.deep.equal([2]);
    expect([...last.models.keys()]).to.deep.equal(["a"]);
  });

  it("knows of a node what was told last, and of other nodes what it knew", () => {
    const facts = { zone: "other", capacity: 8 };
    const next = applied(first, { kind: "node", address: "n:2", facts })!;
    const last = applied(next, { kind: "node", address: "n:1", facts })!;
    expect([...first.nodes]).to.deep.equal([["n:1", { zone: "z", capacity: 2 }]]);
    expect([...next.nodes.keys()]).to.deep.equal(["n:1", "n:2"]);
    expect(last.nodes.get("n:1")).to.equal(facts);
    expect(last.models).to.equal(first.models);
    expect(applied(undefined, { kind: "node", address: "n:2", facts })).to.equal(undefined);
  });

  it("forgets nodes that no route names, the oldest first, once there are more than 10,000", () => {
    const facts = { zone: "", capacity: 1 };
    const many = Array.from({ length: 10_000 }, (_, index) => [`gone-${index}:1`, facts] as const);
    const table = tableOfRoutes([route("a", [[1, ["n:1"]]])], [["n:1", facts], ...many.slice(1)]);
    const { nodes } = applied(table, { kind: "node", address: "new:1", facts })!;
    expect(nodes.size).to.equal(1001);
    expect([nodes.has("n:1"), nodes.has("new:1"), nodes.has("gone-1:1")]).to.deep.equal([true, true, false]);
    expect(table.nodes.size).to.equal(10_000);
  });

  it("is replaced as a whole by a snapshot, and begins with one", () => {
    const next = applied(first, { kind: "snapshot", models: [route("c", [])], nodes: [] })!;
    expect([[...next.models.keys()], next.nodes.size]).to.deep.equal([["c"], 0]);
    expect(applied(undefined, { kind: "changed", model: route("c", []) })).to.equal(undefined);
  });

  it("names every node once", () => {
    const table = tableOf(
      route("a", [[1, ["n:1", "n:2"]]]),
      route("b", [
        [1, ["n:2"]],
        [2, []],
      ]),
    );
    expect(addressesOf(table)).to.deep.equal(new Set(["n:1", "n:2"]));
  });

  it("stays where it is resumed, and is not made by that", () => {
    expect(applied(first, { kind: "resumed" })).to.equal(first);
    expect(applied(undefined, { kind: "resumed" })).to.equal(undefined);
  });

  it("is the same after a way through a file, with its position", () => {
    const name = fc.string({ minLength: 1, maxLength: 8 });
    const version = fc.integer({ min: 1, max: 2 ** 40 });
    const plain = <Fields extends object>(fields: { [Key in keyof Fields]: fc.Arbitrary<Fields[Key]> }) =>
      fc.record(fields, { noNullPrototype: true });
    const held = plain({ replicas: fc.array(name), reason: fc.string() });
    const led = plain({
      targets: fc.array(plain({ version, weight: fc.integer({ min: 1, max: 1_000_000 }) }), { minLength: 1 }),
      mirrors: fc.array(plain({ version, share: fc.double({ min: 1e-9, max: 1, noNaN: true }) })),
    });
    const orNot = <Value>(value: fc.Arbitrary<Value>) => fc.option(value, { nil: undefined });
    const rate = fc.double({ min: 0, max: 1e15, noNaN: true }).map(Math.abs);
    const limits = plain({
      requestsPerSecond: rate,
      concurrentRequests: fc.nat(),
      rowsPerSecond: rate,
      bytesPerSecond: rate,
    });
    const traffic = plain({
      defaultTimeoutMs: fc.nat(),
      stickyKey: fc.string(),
      versionOverride: fc.boolean(),
      hedging: orNot(plain({ quantile: fc.double({ min: 0.5, max: 0.999, noNaN: true }), delayMsMin: fc.nat() })),
      perPrincipal: orNot(limits),
      total: orNot(limits),
    });
    const someRoute = fc
      .tuple(name, fc.array(fc.tuple(version, held)), fc.array(fc.tuple(name, led)), orNot(traffic))
      .map(([model, versions, aliases, routed]) => ({
        model,
        versions: new Map(versions),
        aliases: new Map(aliases),
        traffic: routed,
      }));
    const someNode = fc.tuple(name, plain({ zone: fc.string(), capacity: fc.integer({ min: 1, max: 1024 }) }));
    const position = plain({ epoch: fc.string(), sequence: fc.maxSafeNat() });
    fc.assert(
      fc.property(fc.array(someRoute), fc.array(someNode), position, (routes, nodes, at) => {
        const placed = { table: tableOfRoutes(routes, nodes), position: at };
        const read = tableOfText(textOfTable(placed));
        expect(plainOf(read.table)).to.deep.equal(plainOf(placed.table));
        expect(read.position).to.deep.equal(at);
      }),
    );
    const many = tableOfRoutes(Array.from({ length: 1000 }, (_, index) => route(`m${index}`, [[1, ["n:1"]]])));
    const placed = { table: many, position: { epoch: "e", sequence: 1 } };
    expect([...partsOfTable(placed)]).to.have.length.above(2);
    expect(plainOf(tableOfText(textOfTable(placed)).table)).to.deep.equal(plainOf(many));
  });

  const whole = '{"format":3,"epoch":"e","sequence":1,"nodes":[],"models":';
  for (const text of [
    "",
    "{}",
    "[]",
    '{"format":2,"epoch":"e","sequence":1,"models":[]}',
    '{"format":3,"nodes":[],"models":[]}',
    '{"format":3,"epoch":"e","sequence":1,"models":[]}',
    '{"format":3,"epoch":"e","sequence":-1,"nodes":[],"models":[]}',
    '{"format":3,"epoch":"e","sequence":1,"nodes":[{"address":"n:1","zone":"","capacity":0}],"models":[]}',
    `${whole}[{"model":"a","versions":[],"aliases":[],"traffic":{}}]}`,
    `${whole}[{}]}`,
    `${whole}[null]}`,
    `${whole}[{"model":"a","versions":[{"version":1,"replicas":[]}],"aliases":[]}]}`,
    `${whole}[{"model":"a","versions":[],"aliases":[{"alias":"x","targets":[],"mirrors":[]}]}]}`,
  ]) {
    it(`is not read from ${text || "an empty file"}`, () => {
      expect(() => tableOfText(text)).to.throw(Error);
    });
  }
});

/** A call that sticks to nothing. */
const chance = { headers: {}, random: 0 };

describe("routing", () => {
  const table = tableOf(
    route(
      "digits",
      [
        [1, ["n:1"]],
        [2, ["n:1", "n:2"]],
        [12, "no node has a gpu"],
        [13, []],
      ],
      [
        ["default", 2],
        ["next", 12],
        ["broken", 99],
      ],
    ),
    route("plain", [[1, ["n:1"]]]),
  );
  const to = (model: string, version = "") => routeOf(table, { model, version }, chance);

  it("takes a number, an alias, or nothing for the alias default", () => {
    expect(to("digits", "1")).to.deep.include({ model: "digits", version: 1, replicas: ["n:1"], reason: "" });
    expect(to("digits", "next")).to.deep.include({ version: 12, replicas: [], reason: "no node has a gpu" });
    expect(to("digits").version).to.equal(2);
  });

  it("takes the newest ready version for nothing where there is no alias default, as nodes do, and else the newest", () => {
    const versionsOf = (...held: [number, string[] | string][]) =>
      routeOf(tableOf(route("m", held, [["stable", 1]])), { model: "m", version: "" }, chance);
    expect(to("plain").version).to.equal(1);
    expect(versionsOf([1, ["n:1"]], [10, "it is loading"], [9, ["n:2"]], [2, ["n:1"]])).to.deep.include({
      version: 9,
      replicas: ["n:2"],
    });
    expect(versionsOf([1, []], [10, "it is loading"])).to.deep.include({ version: 10, reason: "it is loading" });
    const fault = faultOf(() => routeOf(tableOf(route("m", [])), { model: "m", version: "" }, chance));
    expect(fault.reason).to.equal("VERSION_NOT_FOUND");
    expect(fault.message).to.contain("the newest; it has no versions yet; no aliases");
  });

  it("follows the alias default also where its target is nowhere ready, or is not there", () => {
    const led = (target: number) =>
      tableOf(
        route(
          "m",
          [
            [1, "it is loading"],
            [2, ["n:1"]],
          ],
          [["default", target]],
        ),
      );
    expect(routeOf(led(1), { model: "m", version: "" }, chance).version).to.equal(1);
    expect(faultOf(() => routeOf(led(7), { model: "m", version: "" }, chance)).message).to.contain("default (7)");
  });

  for (const [version, reason] of [
    ["3", "VERSION_NOT_FOUND"],
    ["0", "VERSION_NOT_FOUND"],
    ["-1", "VERSION_NOT_FOUND"],
    ["01", "VERSION_NOT_FOUND"],
    ["99999999999999999999", "VERSION_NOT_FOUND"],
    ["Default", "ALIAS_NOT_FOUND"],
    ["broken", "ALIAS_NOT_FOUND"],
    ["constructor", "ALIAS_NOT_FOUND"],
  ] as const) {
    it(`does not find version '${version}', and names those that exist, newest first`, () => {
      const fault = faultOf(() => to("digits", version));
      expect(fault.reason).to.equal(reason);
      expect(fault.message).to.match(/^Request for unknown model: 'digits' /);
      const tritons = `failed to get model version from specified version string '${version}'`;
      expect(fault.message.includes(tritons)).to.equal(reason === "ALIAS_NOT_FOUND");
      expect(fault.message).to.contain("versions: 13, 12, 2, 1; aliases: broken (99), default (2), next (12)");
    });
  }

  it("does not find an unknown model, and names at most ten", () => {
    const many = tableOf(...Array.from({ length: 500 }, (_, i) => route(`model-${i}`, [])));
    const fault = faultOf(() => routeOf(many, { model: "model-123x", version: "" }, chance));
    expect(fault.message).to.match(/^Request for unknown model: 'model-123x' is not found; models: model-123, /);
    expect(fault.message).to.contain(" and 490 more");
    expect(faultOf(() => routeOf(tableOf(), { model: "", version: "" }, chance)).message).to.contain(
      "there are no models yet",
    );
  });

  it("repeats no more than the beginning of a long name, and never half a character", () => {
    const fault = faultOf(() => to("😀".repeat(200)));
    expect(fault.message.length).to.be.below(300);
    expect(() => encodeURI(fault.message)).not.to.throw();
  });

  it("says that a version is nowhere ready, and why", () => {
    expect(faultOf(() => readyReplicas(to("digits", "next")))).to.include({
      reason: "MODEL_NOT_READY",
      message: "version 12 of model 'digits' is not ready on any node: no node has a gpu",
    });
    expect(faultOf(() => readyReplicas(to("digits", "13"))).message).to.match(/is not ready on any node$/);
    expect(readyReplicas(to("digits"))).to.deep.equal(["n:1", "n:2"]);
  });

  it("waits for the first table", () => {
    const fault = faultOf(() => routeOf(undefined as RouteTable | undefined, { model: "digits", version: "" }, chance));
    expect(fault).to.include({ reason: "SERVICE_UNAVAILABLE", retryDelayMs: 1000 });
  });
});
