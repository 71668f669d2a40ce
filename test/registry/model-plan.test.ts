import { expect } from "chai";
import { type FleetView, fleetView } from "../../services/registry/control/fleet-view.ts";
import { modelPlan } from "../../services/registry/control/model-plan.ts";
import type { NodeState, ReplicaState } from "../../services/registry/control/node-state.ts";
import { servedVersions } from "../../services/registry/control/serving-policy.ts";
import type { ModelEntry } from "../../services/registry/store/entries.ts";

const policy = { replicasPerVersion: 2, newestVersionsServed: 2 };

/** The model "m" with versions 1 to `count`. */
function entryOf(count: number, aliases: Readonly<Record<string, number>> = {}): ModelEntry {
  const versions = Array.from({ length: count }, (_, index) => ({ number: index + 1, sha256: "", sizeBytes: 1 }));
  return { id: "m", versions, aliases: new Map(Object.entries(aliases)) };
}

function nodeOf(id: string, replicas: Readonly<Record<number, ReplicaState["state"]>>, draining = false): NodeState {
  const held = Object.entries(replicas).map(([version, state]) => {
    const replica = { model: "m", version: Number(version), state, reason: "" };
    return [`models/m/versions/${version}`, replica] as const;
  });
  return { id, address: `${id}:1`, executionProviders: [], memoryBytes: 0, draining, replicas: new Map(held) };
}

const plan = (entry: ModelEntry, view: FleetView, previous?: ReturnType<typeof modelPlan>) => {
  const { placed, route } = modelPlan(entry, view, policy, previous?.route);
  return {
    placed,
    route,
    served: placed.map(({ assigned }) => Number(assigned.version.split("/")[3])),
    addresses: Object.fromEntries(route.versions.map(({ version, addresses }) => [version, addresses])),
  };
};

describe("the versions served of a model", () => {
  const served = (entry: ModelEntry, needed: readonly number[], newest: number) =>
    servedVersions(entry, new Set(needed), newest).map(({ number }) => number);

  it("are those that are needed and the newest ones, in the order of loading", () => {
    expect(served(entryOf(6), [1, 5], 3)).to.deep.equal([5, 1, 6, 4]);
  });

  it("are only the needed ones where no newest are wanted, and all of a short line", () => {
    expect(served(entryOf(6), [2], 0)).to.deep.equal([2]);
    expect(served(entryOf(2), [], 4)).to.deep.equal([2, 1]);
    expect(served(entryOf(0), [], 4)).to.deep.equal([]);
  });
});

describe("the plan of a model", () => {
  it("routes to nodes where a version is ready, not where it loads, has failed or ends", () => {
    const nodes = [nodeOf("a", { 1: "READY" }), nodeOf("b", { 1: "LOADING" }), nodeOf("c", { 1: "READY" }, true)];
    expect(plan(entryOf(1), fleetView(nodes, false)).addresses).to.deep.equal({ 1: ["a:1"] });
  });

  it("names every version and alias, also without any node", () => {
    const { route, addresses } = plan(entryOf(2, { default: 1 }), fleetView([], false));
    expect(addresses).to.deep.equal({ 1: [], 2: [] });
    expect([...route.aliases]).to.deep.equal([["default", 1]]);
  });

  it("keeps the old target of an alias loaded and routed to until the new one is ready", () => {
    const before = plan(
      entryOf(5, { default: 1 }),
      fleetView([nodeOf("a", { 1: "READY", 4: "READY", 5: "READY" })], false),
    );
    const moved = entryOf(5, { default: 2 });
    const loading = plan(moved, fleetView([nodeOf("a", { 1: "READY", 2: "LOADING" })], false), before);
    expect(loading.served).to.include.members([1, 2]);
    expect(loading.route.aliases.get("default")).to.equal(1);
    expect(loading.addresses[1]).to.deep.equal(["a:1"]);
    const ready = plan(moved, fleetView([nodeOf("a", { 1: "READY", 2: "READY" })], false), loading);
    expect(ready.served).not.to.include(1);
    expect(ready.route.aliases.get("default")).to.equal(2);
    expect(ready.addresses).to.deep.equal({ 1: [], 2: ["a:1"], 3: [], 4: [], 5: [] });
  });

  it("tells nodes of an alias by where it points, not by where it still leads", () => {
    const before = plan(entryOf(3, { default: 1 }), fleetView([nodeOf("a", { 1: "READY" })], false));
    const { placed } = plan(entryOf(3, { default: 3 }), fleetView([nodeOf("a", { 1: "READY" })], false), before);
    const aliases = placed.map(({ assigned }) => [assigned.version.split("/")[3], assigned.aliases]);
    expect(Object.fromEntries(aliases)).to.deep.equal({ 1: [], 2: [], 3: ["default"] });
  });

  it("takes a replica out of the route in the same step as it takes it from the node", () => {
    const ids = ["a", "b", "c", "d"];
    const { placed } = plan(
      entryOf(1),
      fleetView(
        ids.map((id) => nodeOf(id, { 1: "READY" })),
        false,
      ),
    );
    const kept = [...placed[0]!.nodes].sort();
    expect(kept).to.have.length(2);
    const { addresses } = plan(
      entryOf(1),
      fleetView(
        ids.map((id) => nodeOf(id, { 1: "READY" })),
        false,
      ),
    );
    expect(addresses[1]).to.deep.equal(kept.map((id) => `${id}:1`));
  });

  it("leaves every version where it is, in whatever state and however many, while nodes come back", () => {
    const nodes = [nodeOf("a", { 1: "READY" }), nodeOf("b", { 1: "READY", 4: "LOADING" }), nodeOf("c", { 1: "READY" })];
    const { placed } = plan(entryOf(4), fleetView([...nodes, nodeOf("d", {})], true));
    const holders = placed.map(({ assigned, nodes: on }) => [assigned.version.split("/")[3], [...on]]);
    expect(Object.fromEntries(holders)).to.deep.equal({ 1: ["a", "b", "c"], 3: [], 4: ["b"] });
  });
});
