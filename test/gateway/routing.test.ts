import { expect } from "chai";
import fc from "fast-check";
import { ServiceError } from "../../lib/errors.ts";
import { Random } from "../../lib/random.ts";
import { nearestNames } from "../../services/gateway/nearest-names.ts";
import { pick } from "../../services/gateway/pick.ts";
import { addressesOf, applied, type ModelRoute, type RouteTable } from "../../services/gateway/route-table.ts";
import { tableOfText, textOfTable } from "../../services/gateway/route-text.ts";
import { readyReplicas, routeOf } from "../../services/gateway/routing.ts";

const route = (model: string, versions: [number, string[]][], aliases: [string, number][] = []): ModelRoute => ({
  model,
  versions: new Map(versions),
  aliases: new Map(aliases),
});
const tableOf = (...routes: ModelRoute[]) => applied(undefined, { kind: "snapshot", models: routes })!;

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
    expect([...first.keys()]).to.deep.equal(["a", "b"]);
    expect([...first.get("a")!.versions.keys()]).to.deep.equal([1]);
    expect([...next.get("a")!.versions.keys()]).to.deep.equal([2]);
    expect([...last.keys()]).to.deep.equal(["a"]);
  });

  it("is replaced as a whole by a snapshot, and begins with one", () => {
    expect([...applied(first, { kind: "snapshot", models: [route("c", [])] })!.keys()]).to.deep.equal(["c"]);
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

  it("is the same after a way through a file", () => {
    const name = fc.string({ minLength: 1, maxLength: 8 });
    const version = fc.integer({ min: 1, max: 2 ** 40 });
    const someRoute = fc
      .tuple(name, fc.array(fc.tuple(version, fc.array(name))), fc.array(fc.tuple(name, version)))
      .map(([model, versions, aliases]) =>
        route(
          model,
          versions,
          aliases.filter(([alias]) => alias !== "__proto__"),
        ),
      );
    fc.assert(
      fc.property(fc.array(someRoute), (routes) => {
        const table = tableOf(...routes);
        expect(tableOfText(textOfTable(table))).to.deep.equal(table);
      }),
    );
  });

  for (const text of ["", "{}", "[]", '{"format":1}', '{"format":1,"models":[{}]}', '{"format":1,"models":[null]}']) {
    it(`is not read from ${text || "an empty file"}`, () => {
      expect(() => tableOfText(text)).to.throw(Error);
    });
  }
});

describe("routing", () => {
  const table = tableOf(
    route(
      "digits",
      [
        [1, ["n:1"]],
        [2, ["n:1", "n:2"]],
        [12, []],
      ],
      [
        ["default", 2],
        ["next", 12],
        ["broken", 99],
      ],
    ),
    route("plain", [[1, ["n:1"]]]),
  );
  const to = (model: string, version = "") => routeOf(table, { model, version });

  it("takes a number, an alias, or nothing for the alias default", () => {
    expect(to("digits", "1")).to.deep.equal({ model: "digits", version: 1, replicas: ["n:1"] });
    expect(to("digits", "next")).to.deep.equal({ model: "digits", version: 12, replicas: [] });
    expect(to("digits").version).to.equal(2);
  });

  it("says how to set the alias default where there is none", () => {
    const fault = faultOf(() => to("plain"));
    expect(fault.reason).to.equal("ALIAS_NOT_FOUND");
    expect(fault.message).to.contain("RegistryService/UpdateAlias").and.to.contain("versions: 1; no aliases");
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
      expect(fault.message).to.contain("versions: 12, 2, 1; aliases: broken (99), default (2), next (12)");
    });
  }

  it("does not find an unknown model, and names at most ten", () => {
    const many = tableOf(...Array.from({ length: 500 }, (_, i) => route(`model-${i}`, [])));
    const fault = faultOf(() => routeOf(many, { model: "model-123x", version: "" }));
    expect(fault.message).to.match(/^Request for unknown model: 'model-123x' is not found; models: model-123, /);
    expect(fault.message).to.contain(" and 490 more");
    expect(faultOf(() => routeOf(tableOf(), { model: "", version: "" })).message).to.contain("there are no models yet");
  });

  it("repeats no more than the beginning of a long name, and never half a character", () => {
    const fault = faultOf(() => to("😀".repeat(200)));
    expect(fault.message.length).to.be.below(300);
    expect(() => encodeURI(fault.message)).not.to.throw();
  });

  it("says that a version is nowhere ready", () => {
    expect(faultOf(() => readyReplicas(to("digits", "next")))).to.include({ reason: "MODEL_NOT_READY" });
    expect(readyReplicas(to("digits"))).to.deep.equal(["n:1", "n:2"]);
  });

  it("waits for the first table", () => {
    const fault = faultOf(() => routeOf(undefined as RouteTable | undefined, { model: "digits", version: "" }));
    expect(fault).to.include({ reason: "SERVICE_UNAVAILABLE", retryDelayMs: 1000 });
  });
});

describe("picking a replica", () => {
  const random = new Random(3);
  const next = () => random.uniform();

  it("takes the less busy of two, and never the busiest of all", () => {
    const load = (address: string) => Number(address);
    for (let i = 0; i < 1000; i++) expect(pick(["0", "1", "2", "3"], load, next)).not.to.equal("3");
    for (let i = 0; i < 100; i++) expect(pick(["5", "4"], load, next)).to.equal("4");
  });

  it("spreads evenly over equally busy ones", () => {
    const counts = new Map<string, number>();
    for (let i = 0; i < 9000; i++) {
      const picked = pick(["a", "b", "c"], () => 0, next);
      counts.set(picked, (counts.get(picked) ?? 0) + 1);
    }
    // Six standard deviations of a binomial count.
    for (const count of counts.values()) expect(Math.abs(count - 3000)).to.be.below(6 * Math.sqrt(9000 * (2 / 9)));
  });

  it("takes one that cannot be reached only where there is no other", () => {
    const load = (address: string) => (address === "dead" ? Infinity : 1000);
    for (let i = 0; i < 100; i++) expect(pick(["dead", "a", "b"], load, next)).not.to.equal("dead");
    expect(pick(["dead"], load, next)).to.equal("dead");
  });

  it("is always one of them, whatever the random numbers", () => {
    const almostOne = 1 - 2 ** -53;
    for (const value of [0, 0.5, almostOne]) {
      for (let count = 1; count < 6; count++) {
        const addresses = Array.from({ length: count }, (_, i) => String(i));
        expect(addresses).to.include(
          pick(
            addresses,
            () => 0,
            () => value,
          ),
        );
      }
    }
  });
});

describe("the nearest names", () => {
  it("come first, then the alphabet", () => {
    expect(nearestNames("digts", ["zebra", "digits", "ants", "digests"], 3)).to.deep.equal([
      "digits",
      "digests",
      "ants",
    ]);
    expect(nearestNames("", ["b", "a"], 3)).to.deep.equal(["a", "b"]);
  });

  it("cost little among very many", () => {
    const names = Array.from({ length: 10_000 }, (_, i) => `${"x".repeat(50)}-${i}`);
    expect(nearestNames(`${"x".repeat(50)}-777`, names, 1)).to.deep.equal([`${"x".repeat(50)}-777`]);
  });
});
