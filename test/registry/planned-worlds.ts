import { expect } from "chai";
import fc from "fast-check";
import type { VersionPolicy__Output } from "../../lib/gen/amaas/registry/v1/VersionPolicy.ts";
import type { NodeState, ReplicaState } from "../../services/registry/control/node-state.ts";
import { Planner } from "../../services/registry/control/planner.ts";
import type { ModelRoute } from "../../services/registry/control/routes.ts";
import type { ModelEntry, ReachedAlias } from "../../services/registry/store/entries.ts";
import { aimAt, entryOf, nodeOf, obedient, variantOf, versionOf } from "./plan-inputs.ts";

const policy = { replicasPerVersion: 2, newestVersionsServed: 2 };
export const models = ["a", "b", "c"];
export const nodeIds = ["n1", "n2", "n3", "n4", "n5"];

/** A planner, and everything that it has said and was told. */
export class Plan {
  readonly planner = new Planner(policy);
  readonly entries = new Map<string, ModelEntry>();
  readonly nodes = new Map<string, NodeState>();
  readonly routes = new Map<string, ModelRoute>();
  revision = 1;

  isReunion = true;

  endReunion(): void {
    this.isReunion = false;
    this.planner.endReunion();
  }

  setEntry(model: string, entry: ModelEntry | undefined): void {
    this.planner.setEntry(model, entry);
    if (entry === undefined) this.entries.delete(model);
    else this.entries.set(model, entry);
  }

  setNode(id: string, node: NodeState | undefined): void {
    this.planner.replaceNode(this.nodes.get(id), node);
    if (node === undefined) this.nodes.delete(id);
    else this.nodes.set(id, node);
  }

  plan(): number {
    const { routes, reached } = this.planner.plan();
    for (const change of routes) {
      if (change.kind === "changed") this.routes.set(change.route.model, change.route);
      if (change.kind === "removed") this.routes.delete(change.model);
    }
    for (const alias of reached) this.#keep(alias);
    return routes.length;
  }

  #keep({ model, alias }: ReachedAlias): void {
    const entry = this.entries.get(model)!;
    const { present } = entry.aliases.get(alias)!;
    this.entries.set(model, { ...entry, aliases: new Map(entry.aliases).set(alias, { present, reached: present }) });
  }

  /** Which nodes are told to hold each version. */
  get holders(): Readonly<Record<string, string[]>> {
    const holders: Record<string, string[]> = {};
    for (const id of [...this.nodes.keys()].sort()) {
      for (const { version } of this.planner.assignmentOf(id)) holders[version] = [...(holders[version] ?? []), id];
    }
    return holders;
  }

  /** All nodes load and unload at once, until nothing changes; answers how often they did. */
  settle(): number {
    for (let round = 1; round <= 20; round++) {
      for (const [id, node] of this.nodes) this.setNode(id, obedient(node, this.planner));
      if (this.plan() === 0) return round;
    }
    throw new Error("the plan never comes to rest");
  }

  expectWithinMemory(): void {
    for (const [id, { capabilities }] of this.nodes) {
      const fits = this.planner.assignmentOf(id).map(({ fit }) => fit);
      const bytes = fits.reduce((sum, { memoryBytes }) => sum + memoryBytes, 0);
      const bytesMax = Math.max(bytes, ...fits.map(({ loadedBytes }) => loadedBytes));
      expect(bytesMax, id).to.be.at.most(capabilities.memoryBudgetBytes || Infinity);
    }
  }
}

const providers = fc.constantFrom<string[]>([], [], ["cpu"], ["cpu", "cuda"], ["cuda"]);
const offered = fc.constantFrom<string[]>(["cpu"], ["cpu"], ["cuda", "cpu"], []);
const opsets = (...newest: number[]) =>
  fc.constantFrom<Record<string, number>>({}, {}, ...newest.map((number) => ({ "ai.onnx": number })));
export const bytes = fc.integer({ min: 1, max: 4 });
export const budget = fc.oneof(fc.constant(0), fc.integer({ min: 1, max: 4 }), fc.integer({ min: 1, max: 9 }));
const variant = fc
  .record({ executionProviders: providers, sizeBytes: bytes })
  .map((content) => variantOf({ ...content, digest: JSON.stringify(content) }));
const version = fc.record({
  state: fc.constantFrom("READY" as const, "READY" as const, "DEPRECATED" as const, "VALIDATING" as const),
  opsets: opsets(18, 23),
  variants: fc
    .array(variant, { minLength: 1, maxLength: 2 })
    .map((list) => list.map((one, index) => ({ ...one, id: `v${index}` }))),
});
export const aim = fc
  .record({
    targets: fc.uniqueArray(fc.integer({ min: 1, max: 3 }), { minLength: 1, maxLength: 2 }),
    mirrors: fc.uniqueArray(fc.integer({ min: 1, max: 3 }), { maxLength: 1 }),
  })
  .map(({ targets, mirrors }) => aimAt(Object.fromEntries(targets.map((number) => [number, 1])), 0, mirrors));
const alias = fc.tuple(aim, fc.option(fc.oneof(fc.constant("present" as const), aim), { nil: undefined }));
const settings = fc.option(
  fc.record(
    {
      replicas: fc.integer({ min: 1, max: 3 }),
      memoryBytes: bytes,
      residency: fc.constantFrom("RESIDENCY_ALWAYS", "RESIDENCY_ON_DEMAND"),
      executionProviders: providers,
      versionPolicy: fc.constantFrom<VersionPolicy__Output>(
        { all: {} },
        { latest: 1 },
        { specific: { versions: [1] } },
      ),
    },
    { requiredKeys: [] },
  ),
  { nil: undefined },
);
const traffic = fc.option(
  fc.record({
    defaultTimeoutMs: fc.constantFrom(0, 1000),
    stickyKey: fc.constantFrom("", "user"),
    versionOverride: fc.boolean(),
    hedging: fc.constant(null),
    perPrincipal: fc.constant(null),
    total: fc.constant(null),
  }),
  { nil: undefined },
);
const entryOfModel = (model: string) =>
  fc
    .record({
      versions: fc.array(version, { maxLength: 3 }),
      aliases: fc.dictionary(fc.constantFrom("canary", "default"), alias),
      settings,
      traffic,
    })
    .map(({ versions, aliases, settings: values, traffic: routed }) => {
      const list = versions.map((changes, index) => versionOf(index + 1, changes));
      // Of one model, a revision never means two things.
      return (revision: number) => {
        const pairs = Object.entries(aliases).map(([id, [target, before]]) => {
          const present = { ...target, revision };
          return [id, { present, reached: before === "present" ? present : before }] as const;
        });
        const set = values && { values, traffic: routed };
        return entryOf(list, Object.fromEntries(pairs), { id: model, settings: set });
      };
    });
const replica: fc.Arbitrary<Partial<ReplicaState>> = fc.record({
  state: fc.constantFrom("LOADING" as const, "READY" as const, "READY" as const, "FAILED" as const),
  reason: fc.constantFrom("", "no"),
  variant: fc.constantFrom("", "v0", "v1"),
  executionProvider: fc.constantFrom("", "cpu", "cuda"),
});
export const nodeOfId = (id: string) =>
  fc
    .record({
      held: fc.dictionary(fc.constantFrom("a/1", "a/2", "a/3", "b/1", "b/2", "c/1"), replica),
      capabilities: fc.record({
        executionProviders: offered,
        opsets: opsets(20, 23, 23),
        memoryBudgetBytes: budget,
      }),
      draining: fc.integer({ min: 0, max: 5 }).map((number) => number === 0),
    })
    .map(({ held, capabilities, draining }) => nodeOf(id, held, { capabilities, draining }));

type Step = (plan: Plan) => void;
const setEntry = fc.constantFrom(...models).chain((model) =>
  fc.option(entryOfModel(model), { nil: undefined }).map(
    (entry): Step =>
      (plan) =>
        plan.setEntry(model, entry?.(++plan.revision)),
  ),
);
const setNode = fc.constantFrom(...nodeIds).chain((id) =>
  fc.option(nodeOfId(id), { nil: undefined }).map(
    (node): Step =>
      (plan) =>
        plan.setNode(id, node),
  ),
);
export const step: fc.Arbitrary<Step> = fc.oneof(
  { weight: 4, arbitrary: setEntry },
  { weight: 6, arbitrary: setNode },
  { weight: 4, arbitrary: fc.constant<Step>((plan) => plan.plan()) },
  { weight: 1, arbitrary: fc.constant<Step>((plan) => plan.endReunion()) },
);
