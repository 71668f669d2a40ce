import { expect } from "chai";
import { decodeMessage, encodeMessage } from "../../lib/rpc/protos.ts";
import type { Assignment } from "../../services/inference/control/assignment.ts";
import { aspiredVersions } from "../../services/inference/control/assignment.ts";
import { configChanges as readConfig } from "../../services/inference/control/config-changes.ts";
import {
  chosenAssignment,
  type ModelChoice,
  type SettingsChanges,
} from "../../services/inference/control/model-choices.ts";
import { repositoryIndex } from "../../services/inference/control/repository-index.ts";
import type { ReplicaState } from "../../services/inference/replicas/replica.ts";
import { aspiredVersion } from "./aspired.ts";

const type = "amaas.registry.v1.ConnectNodeResponse";
const configChanges = (config: string, model: string) =>
  readConfig(config, model, { configs: [], changes: {}, instanceGroups: [] }).changes;
const modelFile = { artifact: `artifacts/${"0".repeat(64)}`, sizeBytes: 1 };
const assignmentOf = (settings: object | null, ...names: string[]): Assignment => {
  const versions = names.map((name) => ({ version: `models/${name.replace("/", "/versions/")}`, modelFile, settings }));
  return decodeMessage("control", type, encodeMessage("control", type, { versions }));
};
const loaded = (changes: SettingsChanges = {}): ModelChoice => ({ kind: "loaded", changes });
const unloaded: ModelChoice = { kind: "unloaded", reason: "unloaded" };
const chosen = (assignment: Assignment, choices: Readonly<Record<string, ModelChoice>>) =>
  aspiredVersions(chosenAssignment(assignment, (model) => choices[model] ?? unloaded));
const names = (versions: readonly { model: string; version: number }[]) =>
  versions.map(({ model, version }) => `${model}/${version}`);

describe("of what is assigned to a node", () => {
  const assignment = assignmentOf(null, "a/1", "b/1", "a/3", "a/2");

  it("only models that are loaded are held, in the order of the assignment", () => {
    expect(names(chosen(assignment, { a: loaded() }))).to.deep.equal(["a/1", "a/3", "a/2"]);
    expect(names(chosen(assignment, {}))).to.deep.equal([]);
  });

  it("only versions of the load's policy are held", () => {
    const of = (policy: object) =>
      names(chosen(assignment, { a: loaded(configChanges(JSON.stringify({ version_policy: policy }), "a")) }));
    expect(of({ latest: { num_versions: 2 } })).to.deep.equal(["a/3", "a/2"]);
    expect(of({ specific: { versions: [1, 7] } })).to.deep.equal(["a/1"]);
    expect(of({ all: {} })).to.deep.equal(["a/1", "a/3", "a/2"]);
  });

  it("what the load does not change stays as the registry has it", () => {
    const limits = { queueRequestsMax: 7 };
    const set = assignmentOf({ limits, dynamicBatching: { maxBatchSize: 4, preserveOrdering: true } }, "a/1");
    const [{ settings }] = chosen(set, { a: loaded(configChanges('{"max_batch_size": 9}', "a")) });
    expect(settings).to.include({ queueRequestsMax: 7 });
    expect(settings.batching).to.include({ maxBatchSize: 9, preserveOrdering: true });
    expect(chosen(set, { a: loaded() })).to.deep.equal(aspiredVersions(set));
  });

  it("requests are joined where a load says a batch size above 1, and not where it says 0", () => {
    const of = (size: number, settings: object | null) =>
      chosen(assignmentOf(settings, "a/1"), { a: loaded({ maxBatchSize: size }) })[0].settings.batching?.maxBatchSize;
    expect([of(8, null), of(0, { dynamicBatching: {} })]).to.deep.equal([8, undefined]);
  });

  it("the index tells how far each version is, and why", () => {
    const assigned = ["a", "b", "c", "d", "e", "f"].map((model) => aspiredVersion(model, 1));
    const states: Readonly<Record<string, readonly ReplicaState[]>> = {
      a: [
        { kind: "unloading", isLeftBehind: false },
        { kind: "ready", signature: { inputs: [], outputs: [] } },
      ],
      b: [{ kind: "failed", reason: "torn", retryAtMs: 0 }],
      c: [{ kind: "loading" }],
      z: [{ kind: "unloading", isLeftBehind: false }],
    };
    const held = Object.entries(states).flatMap(([model, all]) =>
      all.map((state) => ({ aspired: aspiredVersion(model, 1), state, lastUsedMs: 0, hasSequences: false })),
    );
    const choices: Readonly<Record<string, ModelChoice>> = { e: unloaded };
    const entries = repositoryIndex(assigned, held, {
      choiceOf: (model) => choices[model] ?? loaded(),
      refusalOf: ({ model }) => (model === "f" ? "no room" : undefined),
    });
    expect(entries.map(({ name, state, reason }) => `${name} ${state} ${reason}`.trim())).to.deep.equal([
      "a READY",
      "b UNAVAILABLE torn",
      "c LOADING",
      "d LOADING",
      "e UNAVAILABLE unloaded",
      "f UNAVAILABLE no room",
      "z UNLOADING",
    ]);
  });
});
