import { expect } from "chai";
import { FleetIndex } from "../../services/registry/control/fleet-index.ts";
import { modelDemand, modelPlan } from "../../services/registry/control/model-plan.ts";
import type { NodeState } from "../../services/registry/control/node-state.ts";
import { idealPlacement } from "../../services/registry/control/placement.ts";
import { servedVersions } from "../../services/registry/control/serving-policy.ts";
import type { ModelEntry, SettingsEntry } from "../../services/registry/store/entries.ts";
import { aimAt, entryOf, nodeOf, variantOf, versionOf } from "./plan-inputs.ts";

const policy = { replicasPerVersion: 2, newestVersionsServed: 2 };
const settingsOf = (values: SettingsEntry["values"]): SettingsEntry => ({
  values,
  traffic: undefined,
});

function fleetOf(nodes: readonly NodeState[]): FleetIndex {
  const index = new FleetIndex();
  for (const node of nodes) index.replace(undefined, node);
  return index;
}

/** The plan of a model where memory is no question. */
function planOf(entry: ModelEntry, nodes: readonly NodeState[], isReunion = false) {
  const fleet = { index: fleetOf(nodes), isReunion };
  const demand = modelDemand(entry, fleet, policy);
  const places = demand.demands.map((one) => idealPlacement(one, fleet.index.members));
  const plan = modelPlan(
    demand,
    places.map(({ chosen, kept }) => [...chosen, ...kept]),
    fleet,
  );
  const numberOf = (version: string) => Number(version.split("/")[3]);
  return {
    ...plan,
    reached: demand.reached,
    served: demand.demands.map(({ version }) => numberOf(version)),
    addresses: Object.fromEntries(plan.route.versions.map(({ version, addresses }) => [version, addresses])),
    reasons: Object.fromEntries(plan.route.versions.map(({ version, reason }) => [version, reason])),
    default: plan.route.aliases.get("default")?.targets.map(({ version }) => version),
    /** The numbers that a node is to hold. */
    on: (id: string) => (plan.assigned.get(id) ?? []).map(({ version }) => numberOf(version)),
  };
}

describe("the versions served of a model", () => {
  const served = (entry: ModelEntry, aims = [...entry.aliases.values()].map(({ present }) => present), newest = 2) =>
    servedVersions(entry, aims, newest).map(({ version }) => version.number);

  it("are targets of aliases, then mirrors, then the newest ones, and in each group the newest first", () => {
    expect(served(entryOf(7, { a: 1, b: 5 }), [aimAt(1), aimAt(5, 1, [2, 3])], 3)).to.deep.equal([5, 1, 3, 2, 7, 6]);
  });

  it("are only those that aliases point at where no newest are wanted, and all of a short line", () => {
    expect(served(entryOf(6, { a: 2 }), undefined, 0)).to.deep.equal([2]);
    expect(served(entryOf(2), undefined, 4)).to.deep.equal([2, 1]);
    expect(served(entryOf(0), undefined, 4)).to.deep.equal([]);
  });

  it("follow the policy of the model before the registry's own", () => {
    const by = (versionPolicy: SettingsEntry["values"]["versionPolicy"]) =>
      served(entryOf(5, { a: 1 }, { settings: settingsOf({ versionPolicy }) }));
    expect(by({ latest: 3 })).to.deep.equal([1, 5, 4, 3]);
    expect(by({ latest: 0 })).to.deep.equal([1]);
    expect(by({ all: {} })).to.deep.equal([1, 5, 4, 3, 2]);
    expect(by({ specific: { versions: [2, 4, 9] } })).to.deep.equal([1, 4, 2]);
    expect(by({})).to.deep.equal([1, 5, 4]);
    expect(by(null)).to.deep.equal([1, 5, 4]);
  });

  it("are READY, or DEPRECATED where they are asked for by name; the newest are counted among READY ones", () => {
    const versions = [
      versionOf(1, { state: "DEPRECATED" }),
      versionOf(2),
      versionOf(3, { state: "DEPRECATED" }),
      versionOf(4),
      versionOf(5, { state: "VALIDATING" }),
      versionOf(6, { state: "REJECTED" }),
    ];
    expect(served(entryOf(versions))).to.deep.equal([4, 2]);
    expect(served(entryOf(versions, { a: 1, b: 5 }))).to.deep.equal([1, 4, 2]);
    const specific = { versions: [3, 6] };
    expect(served(entryOf(versions, {}, { settings: settingsOf({ versionPolicy: { specific } }) }))).to.deep.equal([3]);
  });
});

describe("the plan of a model", () => {
  it("routes to nodes where a version is ready, not where it loads, has failed or ends", () => {
    const nodes = [
      nodeOf("a", { "m/1": "READY" }),
      nodeOf("b", { "m/1": "LOADING" }),
      nodeOf("c", { "m/1": "READY" }, { draining: true }),
      nodeOf("d", { "m/1": "FAILED" }),
    ];
    expect(planOf(entryOf(1), nodes).addresses).to.deep.equal({ 1: ["a:1"] });
  });

  it("names every version and alias, also without any node", () => {
    const { addresses, default: led } = planOf(entryOf(2, { default: 1 }), []);
    expect(addresses).to.deep.equal({ 1: [], 2: [] });
    expect(led).to.deep.equal([1]);
  });

  it("puts as many replicas as the settings say, and tells nodes the settings", () => {
    const nodes = ["a", "b", "c", "d"].map((id) => nodeOf(id));
    const settings = settingsOf({ replicas: 3 });
    const { assigned } = planOf(entryOf(1, {}, { settings }), nodes);
    expect(assigned.size).to.equal(3);
    for (const [version] of assigned.values()) expect(version.settings).to.equal(settings.values);
    expect(planOf(entryOf(1), nodes).assigned.size).to.equal(2);
  });

  it("gives each node the variant that fits it, and nothing to one that none fits", () => {
    const variants = [
      variantOf({ id: "half", executionProviders: ["cuda"] }),
      variantOf({ id: "small", executionProviders: ["cpu"] }),
    ];
    const nodes = [
      nodeOf("a", {}, { capabilities: { executionProviders: ["cuda", "cpu"] } }),
      nodeOf("b", {}, { capabilities: { executionProviders: ["cpu"] } }),
      nodeOf("c", {}, { capabilities: { executionProviders: ["webgpu"] } }),
    ];
    const { assigned } = planOf(entryOf([versionOf(1, { variants })]), nodes);
    const fits = [...assigned].map(([id, [{ fit }]]) => [id, fit.variant.id, ...fit.executionProviders]);
    expect(fits.sort()).to.deep.equal([
      ["a", "half", "cuda"],
      ["b", "small", "cpu"],
    ]);
  });

  it("takes a replica out of the route in the same step as it takes it from the node", () => {
    const ids = ["a", "b", "c", "d"];
    const { assigned, addresses } = planOf(
      entryOf(1),
      ids.map((id) => nodeOf(id, { "m/1": "READY" })),
    );
    expect(assigned.size).to.equal(2);
    expect(addresses[1]).to.deep.equal([...assigned.keys()].sort().map((id) => `${id}:1`));
  });

  it("leaves every version where it is, in whatever state and however many, while nodes come back", () => {
    const nodes = [
      nodeOf("a", { "m/1": "READY" }),
      nodeOf("b", { "m/1": "READY", "m/4": "LOADING" }),
      nodeOf("c", { "m/1": "READY" }),
      nodeOf("d"),
    ];
    const plan = planOf(entryOf(4), nodes, true);
    expect(nodes.map(({ id }) => plan.on(id))).to.deep.equal([[1], [4, 1], [1], []]);
  });

  it("leaves a node the variant that it has while nodes come back, also one that would not be chosen", () => {
    const variants = [variantOf({ id: "whole" }), variantOf({ id: "small" })];
    const held = { state: "READY" as const, variant: "small", executionProvider: "cpu" };
    const { assigned } = planOf(entryOf([versionOf(1, { variants })]), [nodeOf("a", { "m/1": held })], true);
    expect(assigned.get("a")![0].fit.variant.id).to.equal("small");
  });

  it("leaves a node the list of providers that has led to a fallback, and else what it runs on, while nodes come back", () => {
    const runsOn = (
      executionProvider: string,
      fallbackExecutionProviders: string[],
      ...executionProviders: string[]
    ) => {
      const held = { state: "READY" as const, variant: "default", executionProvider, fallbackExecutionProviders };
      const node = nodeOf("a", { "m/1": held }, { capabilities: { executionProviders } });
      return planOf(entryOf([versionOf(1)]), [node], true).assigned.get("a")![0].fit.executionProviders;
    };
    expect(runsOn("cpu", [], "cuda", "cpu")).to.deep.equal(["cuda", "cpu"]);
    expect(runsOn("cuda", ["cpu"], "cuda", "cpu")).to.deep.equal(["cuda", "cpu"]);
    expect(runsOn("cuda", ["cpu"], "cpu")).to.deep.equal(["cuda", "cpu"]);
  });
});

describe("an alias that was moved", () => {
  const moved = (from: Parameters<typeof aimAt>[0], to: Parameters<typeof aimAt>[0], mirrors: number[] = []) => ({
    default: { present: aimAt(to, 2, mirrors), reached: aimAt(from, 1) },
  });

  it("leads to its old target, which stays loaded, until the new one is ready", () => {
    const loading = planOf(entryOf(5, moved(1, 2)), [nodeOf("a", { "m/1": "READY", "m/2": "LOADING" })]);
    expect(loading.served).to.deep.equal([2, 1, 5, 4]);
    expect([loading.default, loading.addresses[1], loading.reached]).to.deep.equal([[1], ["a:1"], []]);
    const ready = planOf(entryOf(5, moved(1, 2)), [nodeOf("a", { "m/1": "READY", "m/2": "READY" })]);
    expect(ready.served).to.deep.equal([2, 5, 4]);
    expect([ready.default, ready.addresses[1]]).to.deep.equal([[2], []]);
    expect(ready.reached).to.deep.equal([{ model: "m", alias: "default", revision: 2 }]);
  });

  it("waits for all of its new targets, so that none gets what is meant for another", () => {
    const canary = moved(1, { 2: 99, 3: 1 });
    const half = planOf(entryOf(3, canary), [nodeOf("a", { "m/1": "READY", "m/3": "READY" })]);
    expect(half.default).to.deep.equal([1]);
    const whole = planOf(entryOf(3, canary), [nodeOf("a", { "m/1": "READY", "m/2": "READY", "m/3": "READY" })]);
    expect(whole.default).to.deep.equal([2, 3]);
  });

  it("does not wait where its old targets are ready nowhere, and does not go back when they are", () => {
    const canary = moved(1, { 2: 99, 3: 1 });
    const half = planOf(entryOf(3, canary), [nodeOf("a", { "m/3": "READY" })]);
    expect([half.default, half.reached.length]).to.deep.equal([[2, 3], 1]);
    const none = planOf(entryOf(3, canary), [nodeOf("a")]);
    expect([none.default, none.reached.length]).to.deep.equal([[2, 3], 0]);
    expect(none.served).to.include(1);
  });

  it("does not wait for mirrors", () => {
    const { default: led, served } = planOf(entryOf(3, moved(1, 2, [3])), [
      nodeOf("a", { "m/1": "READY", "m/2": "READY" }),
    ]);
    expect([led, served]).to.deep.equal([[2], [2, 3]]);
  });

  it("leads at once where it points if it led nowhere before", () => {
    const made = { default: { present: aimAt(2), reached: undefined } };
    expect(planOf(entryOf(2, made), [nodeOf("a", { "m/1": "READY" })]).default).to.deep.equal([2]);
  });

  it("is waited for where it was forced to a version that is not READY yet", () => {
    const versions = [versionOf(1), versionOf(2, { state: "VALIDATING" })];
    const plan = planOf(entryOf(versions, moved(1, 2)), [nodeOf("a", { "m/1": "READY" })]);
    expect([plan.default, plan.served]).to.deep.equal([[1], [1]]);
    expect(plan.reasons[2]).to.equal("it is VALIDATING");
  });

  it("is told to nodes by where it points, not by where it still leads", () => {
    const { assigned } = planOf(entryOf(3, moved(1, 3)), [nodeOf("a", { "m/1": "READY" })]);
    const aliases = assigned.get("a")!.map(({ version, aliases: ids }) => [version.split("/")[3], ids]);
    expect(Object.fromEntries(aliases)).to.deep.equal({ 1: [], 2: [], 3: ["default"] });
  });
});

describe("why a version is ready nowhere", () => {
  const reason = (entry: ModelEntry, ...nodes: NodeState[]) => planOf(entry, nodes).reasons[1];
  const failed = (why: string) => ({ "m/1": { state: "FAILED" as const, reason: why } });

  it("says what is the matter with it, or with the fleet", () => {
    expect(reason(entryOf(1), nodeOf("a"))).to.equal("it is loading on a");
    expect(reason(entryOf(1), nodeOf("a"), nodeOf("b"))).to.equal("it is loading on a and 1 more");
    expect(reason(entryOf(1), nodeOf("a", failed("no such operator")), nodeOf("b"))).to.equal(
      "it failed to load on a: no such operator",
    );
    expect(reason(entryOf(1))).to.equal("there are no nodes");
    expect(reason(entryOf(1, {}, { settings: settingsOf({ executionProviders: ["cuda"] }) }), nodeOf("a"))).to.equal(
      "no node offers cuda",
    );
    expect(reason(entryOf([versionOf(1, { state: "REJECTED", stateReason: "no ONNX file" })]), nodeOf("a"))).to.equal(
      "it is REJECTED: no ONNX file",
    );
  });

  it("is not said where it is ready, or is not meant to be held", () => {
    expect(reason(entryOf(1), nodeOf("a", { "m/1": "READY" }), nodeOf("b", failed("no")))).to.equal("");
    expect(reason(entryOf(3), nodeOf("a"))).to.equal("");
  });

  it("is bounded", () => {
    const text = reason(entryOf(1), nodeOf("a", failed("x".repeat(10_000))));
    expect(text)
      .to.have.length(256)
      .and.match(/^it failed to load on a: xxx.*…$/);
  });
});
