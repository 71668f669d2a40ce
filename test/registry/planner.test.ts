import { expect } from "chai";
import fc from "fast-check";
import type { VersionPolicy__Output } from "../../lib/gen/amaas/registry/v1/VersionPolicy.ts";
import type { NodeState, ReplicaState } from "../../services/registry/control/node-state.ts";
import { Planner } from "../../services/registry/control/planner.ts";
import type { ModelRoute } from "../../services/registry/control/routes.ts";
import type { AliasAim, ModelEntry, ReachedAlias } from "../../services/registry/store/entries.ts";
import { aimAt, entryOf, nodeOf, obedient, variantOf, versionOf } from "./plan-inputs.ts";

const policy = { replicasPerVersion: 2, newestVersionsServed: 2 };
const models = ["a", "b", "c"];
const nodeIds = ["n1", "n2", "n3", "n4", "n5"];

/** A planner, and everything that it has said and was told. */
class Plan {
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
      else this.routes.delete(change.model);
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
      const bytes = this.planner.assignmentOf(id).reduce((sum, { fit }) => sum + fit.memoryBytes, 0);
      expect(bytes, id).to.be.at.most(capabilities.memoryBudgetBytes || Infinity);
    }
  }
}

const providers = fc.constantFrom<string[]>([], [], ["cpu"], ["cpu", "cuda"], ["cuda"]);
const offered = fc.constantFrom<string[]>(["cpu"], ["cpu"], ["cuda", "cpu"], []);
const opsets = (...newest: number[]) =>
  fc.constantFrom<Record<string, number>>({}, {}, ...newest.map((number) => ({ "ai.onnx": number })));
const bytes = fc.integer({ min: 1, max: 4 });
const budget = fc.oneof(fc.constant(0), fc.integer({ min: 1, max: 4 }), fc.integer({ min: 1, max: 9 }));
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
const aim = fc
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
const entryOfModel = (model: string) =>
  fc
    .record({
      versions: fc.array(version, { maxLength: 3 }),
      aliases: fc.dictionary(fc.constantFrom("canary", "default"), alias),
      settings,
    })
    .map(({ versions, aliases, settings: values }) => {
      const list = versions.map((changes, index) => versionOf(index + 1, changes));
      // Of one model, a revision never means two things.
      return (revision: number) => {
        const pairs = Object.entries(aliases).map(([id, [target, before]]) => {
          const present = { ...target, revision };
          return [id, { present, reached: before === "present" ? present : before }] as const;
        });
        return entryOf(list, Object.fromEntries(pairs), { id: model, settings: values && { revision, values } });
      };
    });
const replica: fc.Arbitrary<Partial<ReplicaState>> = fc.record({
  state: fc.constantFrom("LOADING" as const, "READY" as const, "READY" as const, "FAILED" as const),
  reason: fc.constantFrom("", "no"),
  variant: fc.constantFrom("", "v0", "v1"),
  executionProvider: fc.constantFrom("", "cpu", "cuda"),
});
const nodeOfId = (id: string) =>
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
const step: fc.Arbitrary<Step> = fc.oneof(
  { weight: 4, arbitrary: setEntry },
  { weight: 6, arbitrary: setNode },
  { weight: 4, arbitrary: fc.constant<Step>((plan) => plan.plan()) },
  { weight: 1, arbitrary: fc.constant<Step>((plan) => plan.endReunion()) },
);

describe("the plan of all models", () => {
  it("depends on what is known and not on how it became known, and asks no node for more memory than it has", () => {
    fc.assert(
      fc.property(fc.boolean(), fc.array(step, { maxLength: 30 }), (begins, steps) => {
        const plan = new Plan();
        if (begins) plan.endReunion();
        for (const apply of steps) {
          apply(plan);
          plan.plan();
          plan.expectWithinMemory();
        }
        const fresh = new Plan();
        if (!plan.isReunion) fresh.endReunion();
        for (const [id, node] of [...plan.nodes].reverse()) fresh.setNode(id, node);
        for (const [model, entry] of [...plan.entries].reverse()) fresh.setEntry(model, entry);
        fresh.plan();
        expect(plan.routes).to.deep.equal(fresh.routes);
        for (const id of nodeIds) expect(plan.planner.assignmentOf(id)).to.deep.equal(fresh.planner.assignmentOf(id));
      }),
      { numRuns: 1000 },
    );
  });

  const aliased = fc
    .dictionary(fc.constantFrom(...models), fc.record({ count: fc.integer({ min: 1, max: 3 }), aim, size: bytes }), {
      minKeys: 1,
    })
    .map((sizes) =>
      Object.entries(sizes).map(([model, { count, aim: target, size }]) => {
        const versions = Array.from({ length: count }, (_, index) =>
          versionOf(index + 1, { variants: [variantOf({ sizeBytes: size })] }),
        );
        return entryOf(versions, { default: { present: target, reached: undefined } }, { id: model });
      }),
    );
  const fleet = (budgets: fc.Arbitrary<number>) =>
    fc
      .dictionary(fc.constantFrom(...nodeIds), budgets, { minKeys: 1 })
      .map((byId) =>
        Object.entries(byId).map(([id, memoryBudgetBytes]) => nodeOf(id, {}, { capabilities: { memoryBudgetBytes } })),
      );

  function settled(entries: readonly ModelEntry[], nodes: readonly NodeState[]): Plan {
    const plan = new Plan();
    plan.endReunion();
    for (const entry of entries) plan.setEntry(entry.id, entry);
    for (const node of nodes) plan.setNode(node.id, node);
    plan.plan();
    plan.settle();
    return plan;
  }

  it("comes to rest once the nodes have done what they are told, also where memory is short", () => {
    fc.assert(
      fc.property(aliased, fleet(budget), nodeOfId("n1"), (entries, nodes, other) => {
        const plan = settled(entries, nodes);
        const resting = plan.holders;
        for (const [id, node] of plan.nodes) plan.setNode(id, obedient(node, plan.planner));
        plan.plan();
        expect(plan.holders).to.deep.equal(resting);
        // Whatever a node comes with, all of it comes to rest again.
        plan.setNode("n1", other);
        plan.plan();
        plan.settle();
      }),
      { numRuns: 1000 },
    );
  });

  it("moves nothing between the nodes that stay when one joins or leaves", () => {
    fc.assert(
      fc.property(aliased, fleet(fc.constant(0)), fc.constantFrom(...nodeIds), (entries, nodes, id) => {
        const others = nodes.filter((node) => node.id !== id);
        fc.pre(others.length > 0);
        const plan = settled(entries, others);
        const without = plan.holders;
        plan.setNode(id, nodeOf(id));
        plan.plan();
        plan.settle();
        const joined = plan.holders;
        plan.setNode(id, undefined);
        plan.plan();
        plan.settle();
        expect(plan.holders).to.deep.equal(without);
        for (const [version, holders] of Object.entries(joined)) {
          const [before, stayed] = [without[version], holders.filter((holder) => holder !== id)];
          expect(before).to.include.members(stayed);
          // At most one place is given up, and for the node that has joined.
          expect(before.length - stayed.length).to.equal(holders.length > stayed.length && before.length === 2 ? 1 : 0);
        }
      }),
    );
  });

  it("never leaves an alias without a ready target once it had one, in whatever order nodes load and aliases move", () => {
    const event = fc.oneof(
      fc.record({ kind: fc.constant("move" as const), model: fc.constantFrom(...models), aim }),
      fc.record({
        kind: fc.constant("load" as const),
        node: fc.constantFrom(...nodeIds),
        isReady: fc.infiniteStream(fc.boolean()),
      }),
      fc.record({ kind: fc.constant("join" as const), node: fc.constantFrom(...nodeIds), memoryBudgetBytes: budget }),
    );
    const isAnswered = ({ versions, aliases }: ModelRoute) =>
      aliases.get("default")!.targets.some((target) => versions[target.version - 1]?.addresses.length);
    fc.assert(
      fc.property(aliased, fleet(budget), fc.array(event, { maxLength: 40 }), (entries, nodes, events) => {
        const plan = settled(entries, nodes);
        const answered = new Set<string>();
        for (const one of events) {
          const entry = one.kind === "move" ? plan.entries.get(one.model) : undefined;
          if (one.kind === "move" && entry) {
            const { present, reached } = entry.aliases.get("default")!;
            const moved = { present: { ...one.aim, revision: present.revision + 1 }, reached };
            plan.setEntry(one.model, { ...entry, aliases: new Map([["default", moved]]) });
          } else if (one.kind === "load" && plan.nodes.has(one.node)) {
            const node = plan.nodes.get(one.node)!;
            const stateOf = (name: string) =>
              node.replicas.get(name)?.state === "READY" || one.isReady.next().value ? "READY" : "LOADING";
            plan.setNode(one.node, obedient(node, plan.planner, stateOf));
          } else if (one.kind === "join" && !plan.nodes.has(one.node)) {
            plan.setNode(
              one.node,
              nodeOf(one.node, {}, { capabilities: { memoryBudgetBytes: one.memoryBudgetBytes } }),
            );
          }
          plan.plan();
          plan.expectWithinMemory();
          for (const [model, route] of plan.routes) {
            if (isAnswered(route)) answered.add(model);
            else expect(answered.has(model), `${model} was answered`).to.equal(false);
          }
        }
      }),
      { numRuns: 1000 },
    );
  });

  it("says what memory a version wants that has no place for want of it, and gives it one once there is some", () => {
    const gigabytes = (count: number) => ({ capabilities: { memoryBudgetBytes: count * 1024 ** 3 } });
    const large = versionOf(1, { variants: [variantOf({ sizeBytes: 3 * 1024 ** 3 })] });
    const aliases = { default: { present: aimAt(1), reached: undefined } };
    const entries = ["a", "b"].map((id) => entryOf([large], aliases, { id }));
    const plan = settled(entries, [nodeOf("n1", {}, gigabytes(4))]);
    expect(plan.routes.get("a")!.versions[0].addresses).to.deep.equal(["n1:1"]);
    expect(plan.routes.get("b")!.versions[0]).to.deep.include({
      addresses: [],
      reason: "no node has 3.0 GiB of memory free",
    });
    plan.setEntry("a", undefined);
    plan.plan();
    plan.settle();
    expect(plan.routes.get("b")!.versions[0].addresses).to.deep.equal(["n1:1"]);
  });

  it("tells nodes to load targets of aliases first, then mirrors, then what else is served", () => {
    const aliased = (present: AliasAim) => ({ default: { present, reached: present } });
    const entries = [entryOf(4, {}, { id: "a" }), entryOf(3, aliased(aimAt(1, 1, [2])), { id: "b" })];
    const plan = settled(entries, [nodeOf("n1")]);
    expect(plan.planner.assignmentOf("n1").map(({ version }) => version)).to.deep.equal([
      "models/b/versions/1",
      "models/b/versions/2",
      "models/a/versions/4",
      "models/a/versions/3",
      "models/b/versions/3",
    ]);
  });
});
