import { expect } from "chai";
import fc from "fast-check";
import type { NodeState } from "../../services/registry/control/node-state.ts";
import type { ModelRoute } from "../../services/registry/control/routes.ts";
import type { AliasAim, ModelEntry } from "../../services/registry/store/entries.ts";
import { aimAt, entryOf, nodeOf, obedient, variantOf, versionOf } from "./plan-inputs.ts";
import { aim, budget, bytes, models, nodeIds, nodeOfId, Plan, step } from "./planned-worlds.ts";

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

  it("says anew what memory it wants when a node that has no room either, and needs less for it, joins or leaves", () => {
    const variants = [
      variantOf({ id: "large", executionProviders: ["cuda"], sizeBytes: 3 }),
      variantOf({ id: "small", executionProviders: ["cpu"], sizeBytes: 2 }),
    ];
    const nodeWith = (id: string, executionProvider: string, memoryBudgetBytes: number) =>
      nodeOf(id, {}, { capabilities: { executionProviders: [executionProvider], memoryBudgetBytes } });
    const aliases = { default: { present: aimAt(1), reached: undefined } };
    const entries = ["a", "b"].map((id) => entryOf([versionOf(1, { variants })], aliases, { id }));
    const plan = settled(entries, [nodeWith("n1", "cuda", 3)]);
    const reason = () => plan.routes.get("b")!.versions[0].reason;
    expect(reason()).to.equal("no node has 3 bytes of memory free");
    plan.setNode("n2", nodeWith("n2", "cpu", 1));
    plan.plan();
    expect(reason()).to.equal("no node has 2 bytes of memory free");
    plan.setNode("n2", undefined);
    plan.plan();
    expect(reason()).to.equal("no node has 3 bytes of memory free");
  });

  it("changes the route and tells no node anything where only the traffic of a model changes", () => {
    const trafficOf = (stickyKey: string) => {
      const rest = { defaultTimeoutMs: 0, versionOverride: false, hedging: null, perPrincipal: null, total: null };
      return { stickyKey, ...rest };
    };
    const entry = (traffic: ReturnType<typeof trafficOf> | undefined, values = {}) =>
      entryOf(1, { default: 1 }, { settings: { values: { ...values }, traffic } });
    const plan = settled([entryOf(1, { default: 1 })], [nodeOf("n1")]);
    let told = plan.planner.assignmentOf("n1");
    const set = (next: ModelEntry) => {
      plan.setEntry("m", next);
      const routeCount = plan.plan();
      const before = told;
      told = plan.planner.assignmentOf("n1");
      return [routeCount, told === before ? "nothing told" : "told", plan.routes.get("m")!.traffic?.stickyKey];
    };
    expect(set(entry(trafficOf("user")))).to.deep.equal([1, "nothing told", "user"]);
    expect(set(entry(trafficOf("user"), { replicas: 2 }))).to.deep.equal([0, "told", "user"]);
    expect(set(entry(trafficOf("session"), { replicas: 2 }))).to.deep.equal([1, "nothing told", "session"]);
    expect(set(entry(trafficOf("session"), { replicas: 2 }))).to.deep.equal([0, "nothing told", "session"]);
    expect(set(entry(undefined, { replicas: 2 }))).to.deep.equal([1, "nothing told", undefined]);
  });

  it("places what is loaded on demand only where it can be loaded at all, and says so where that is nowhere", () => {
    const budget = (memoryBudgetBytes: number) => ({ capabilities: { memoryBudgetBytes } });
    const onDemand = (memoryBytes: number) => ({
      values: { memoryBytes, residency: "RESIDENCY_ON_DEMAND" as const },
      traffic: undefined,
    });
    const entry = (id: string, bytes: number) => entryOf(1, {}, { id, settings: onDemand(bytes) });
    const entries = ["a", "b", "c"].map((id) => entry(id, 60));
    const nodes = [nodeOf("n1", {}, budget(59)), nodeOf("n2", {}, budget(60)), nodeOf("n3")];
    const plan = settled([...entries, entry("d", 61)], nodes.slice(0, 2));
    const addresses = (model: string) => plan.routes.get(model)!.versions[0].addresses;
    for (const { id } of entries) expect(addresses(id)).to.deep.equal(["n2:1"]);
    expect(plan.routes.get("d")!.versions[0]).to.deep.include({
      addresses: [],
      reason: "no node has 61 bytes of memory free",
    });
    // What it needs is known better by now than when it was placed.
    plan.setEntry("a", entry("a", 61));
    plan.plan();
    plan.settle();
    expect([addresses("a"), plan.planner.assignmentOf("n2").length]).to.deep.equal([[], 2]);
    plan.setNode("n3", nodes[2]);
    plan.plan();
    plan.settle();
    expect(["a", "d"].map(addresses)).to.deep.equal([["n3:1"], ["n3:1"]]);
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
