import { expect } from "chai";
import fc from "fast-check";
import { encodeMessage } from "../../lib/rpc/protos.ts";
import { readModelRef } from "../../services/gateway/model-ref.ts";
import { inferRequest } from "../../services/gateway/ref-layouts.ts";
import type { AliasRoute, ModelRoute, VersionRoute } from "../../services/gateway/route-facts.ts";
import { applied, type RouteStep, tableOf } from "../../services/gateway/route-table.ts";
import { routeOf } from "../../services/gateway/routing.ts";

const model = fc.constantFrom("a", "b", "c", "d.e-f_9");
const number = fc.integer({ min: 1, max: 4 });
const replicas = fc.uniqueArray(fc.constantFrom("n:1", "n:2", "n:3"), { maxLength: 3 });
const targets = fc.array(fc.record({ version: number, weight: fc.integer({ min: 1, max: 9 }) }), {
  minLength: 1,
  maxLength: 4,
});
const facts: fc.Arbitrary<ModelRoute> = fc.record({
  model,
  versions: fc
    .array(fc.tuple(number, fc.record({ replicas, reason: fc.constant("why") })))
    .map((entries): ReadonlyMap<number, VersionRoute> => new Map(entries)),
  aliases: fc
    .array(fc.tuple(fc.constantFrom("default", "canary"), fc.record({ targets, mirrors: fc.constant([]) })))
    .map((entries): ReadonlyMap<string, AliasRoute> => new Map(entries)),
  traffic: fc.constant(undefined),
});
const step: fc.Arbitrary<RouteStep> = fc.oneof(
  fc.record({ kind: fc.constant("snapshot" as const), models: fc.array(facts), nodes: fc.constant([]) }),
  fc.record({ kind: fc.constant("changed" as const), model: facts }),
  fc.record({ kind: fc.constant("removed" as const), model }),
);
const random = fc.double({ min: 0, max: 1 - 2 ** -53, noNaN: true });
const call = fc.record({ model, version: fc.constantFrom("", "default", "canary", "1", "2", "4"), random });

/** The version of a call by the rules as they are written, in a map of what the steps have said; undefined where there is none. */
function plainVersion({ versions, aliases }: ModelRoute, version: string, chance: number): number | undefined {
  if (/\d/.test(version)) return versions.has(Number(version)) ? Number(version) : undefined;
  const isReady = (one: number) => (versions.get(one)?.replicas.length ?? 0) > 0;
  const orAll = <Item>(ready: readonly Item[], all: readonly Item[]) => (ready.length > 0 ? ready : all);
  const alias = aliases.get(version || "default");
  if (alias === undefined) {
    const all = [...versions.keys()];
    return version === "" && all.length > 0 ? Math.max(...orAll(all.filter(isReady), all)) : undefined;
  }
  const open = orAll(
    alias.targets.filter((target) => isReady(target.version)),
    alias.targets,
  );
  const tickets = open.flatMap((target) => Array.from({ length: target.weight }, () => target.version));
  const drawn = tickets[Math.floor(chance * tickets.length)]!;
  return versions.has(drawn) ? drawn : undefined;
}

describe("decisions by the route table", () => {
  it("are those of a plain map of models after any steps, by the bytes of requests", () => {
    fc.assert(
      fc.property(fc.array(step, { maxLength: 12 }), fc.array(call, { minLength: 1 }), (steps, calls) => {
        let table = tableOf([]);
        const plain = new Map<string, ModelRoute>();
        for (const one of steps) {
          table = applied(table, one)!;
          if (one.kind === "snapshot") plain.clear();
          for (const each of one.kind === "snapshot" ? one.models : one.kind === "changed" ? [one.model] : [])
            plain.set(each.model, each);
          if (one.kind === "removed") plain.delete(one.model);
        }
        expect(table.models.size).to.equal(plain.size);
        for (const { model: name, version, random: chance } of calls) {
          const bytes = encodeMessage("inference", "inference.ModelInferRequest", {
            modelName: name,
            modelVersion: version,
          });
          const known = plain.get(name);
          const wanted = known && plainVersion(known, version, chance);
          const decide = () =>
            routeOf(table, readModelRef(bytes, inferRequest, table.models), { headers: {}, random: chance });
          if (wanted === undefined) expect(decide).to.throw("Request for unknown model");
          else {
            expect(decide()).to.deep.include({ model: name, version: wanted, ...known!.versions.get(wanted) });
          }
        }
      }),
    );
  });

  it("remember a version from table to table as long as it is there, and no longer", () => {
    const route = (...versions: number[]): ModelRoute => ({
      model: "m",
      versions: new Map(versions.map((version) => [version, { replicas: ["n:1"], reason: "" }])),
      aliases: new Map(),
      traffic: undefined,
    });
    const memoryIn = (table: ReturnType<typeof tableOf>, version: number) =>
      table.models.get("m")?.versions.get(version)?.memory;
    const first = tableOf([route(1, 2)]);
    const changed = applied(first, { kind: "changed", model: route(1, 3) })!;
    const again = applied(changed, { kind: "snapshot", models: [route(1, 2)], nodes: [] })!;
    const gone = applied(again, { kind: "removed", model: "m" })!;
    const back = applied(gone, { kind: "changed", model: route(1) })!;
    expect(memoryIn(changed, 1)).to.equal(memoryIn(first, 1));
    expect(memoryIn(again, 1)).to.equal(memoryIn(first, 1));
    expect(memoryIn(again, 2)).not.to.equal(memoryIn(first, 2));
    expect(memoryIn(back, 1)).not.to.equal(memoryIn(first, 1));
  });
});
