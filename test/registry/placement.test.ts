import { expect } from "chai";
import fc from "fast-check";
import { hashOf } from "../../lib/rendezvous.ts";
import { FleetIndex, type Member } from "../../services/registry/control/fleet-index.ts";
import {
  affordablePlacements,
  type Demand,
  idealPlacement,
  type Place,
  type Placement,
} from "../../services/registry/control/placement.ts";
import { nodeOf, variantOf } from "./plan-inputs.ts";

const nodeIds = fc.uniqueArray(fc.stringMatching(/^[a-z][a-z0-9-]{0,11}$/), { minLength: 1, maxLength: 12 });
const versions = fc.stringMatching(/^models\/[a-z]{1,6}\/versions\/[1-9]$/);
const replicaCount = fc.integer({ min: 1, max: 4 });

/** The members of a fleet: names, or names with the memory of each. */
function membersOf(nodes: readonly string[] | Readonly<Record<string, number>>): readonly Member[] {
  const index = new FleetIndex();
  const budgets = Array.isArray(nodes) ? nodes.map((id): [string, number] => [id, 0]) : Object.entries(nodes);
  for (const [id, memoryBudgetBytes] of budgets)
    index.replace(undefined, nodeOf(id, {}, { capabilities: { memoryBudgetBytes } }));
  return index.members;
}

function placeOn(member: Member, memoryBytes: number): Place {
  return { member, fit: { variant: variantOf(), executionProviders: ["cpu"], memoryBytes, loadedBytes: memoryBytes } };
}

/** A version that fits everywhere, with the names of the nodes where it is ready. */
function demandOf(
  version: string,
  {
    count = 1,
    bytes = 1,
    priority = 0 as const,
    readyOn = [] as readonly Member[],
  }: Partial<Pick<Demand, "count" | "priority"> & { bytes: number; readyOn: readonly Member[] }> = {},
): Demand {
  return {
    version,
    hash: hashOf(version),
    priority,
    count,
    bytesMin: bytes,
    fitOn: (member) => placeOn(member, bytes).fit,
    readyOn: readyOn.map((member) => placeOn(member, bytes)),
  };
}

const idsOf = (places: readonly Place[]) => places.map(({ member }) => member.id);

/** Where a version goes when nothing is loaded anywhere, the best place first. */
const afresh = (version: string, nodes: readonly string[], count: number) =>
  idsOf(idealPlacement(demandOf(version, { count }), membersOf(nodes)).chosen);

describe("the ideal placement", () => {
  it("chooses as many nodes as there should be replicas, or all of a smaller fleet", () => {
    fc.assert(
      fc.property(versions, nodeIds, replicaCount, (version, nodes, count) => {
        const chosen = afresh(version, nodes, count);
        expect(chosen).to.have.length(Math.min(count, nodes.length));
        expect(nodes).to.include.members(chosen);
      }),
    );
  });

  it("does not depend on the order in which nodes are named", () => {
    fc.assert(
      fc.property(versions, nodeIds, replicaCount, (version, nodes, count) => {
        expect(afresh(version, [...nodes].reverse(), count)).to.deep.equal(afresh(version, nodes, count));
      }),
    );
  });

  it("moves a version only to the node that joins, and away from at most one", () => {
    fc.assert(
      fc.property(versions, nodeIds, replicaCount, (version, [joining, ...nodes], count) => {
        const [before, after] = [afresh(version, nodes, count), afresh(version, [joining!, ...nodes], count)];
        const gained = after.filter((node) => !before.includes(node));
        const lost = before.filter((node) => !after.includes(node));
        expect(gained.every((node) => node === joining)).to.equal(true);
        expect(lost.length).to.equal(nodes.length < count ? 0 : gained.length);
      }),
    );
  });

  it("replaces exactly the replicas of a node that leaves", () => {
    fc.assert(
      fc.property(versions, nodeIds, replicaCount, (version, [leaving, ...nodes], count) => {
        const [before, after] = [afresh(version, [leaving!, ...nodes], count), afresh(version, nodes, count)];
        expect(after).to.include.members(before.filter((node) => node !== leaving));
        if (!before.includes(leaving!)) expect(after).to.deep.equal(before);
      }),
    );
  });

  it("spreads versions over nodes", () => {
    const nodes = Array.from({ length: 8 }, (_, index) => `amaas-inference-${index}`);
    const held = new Map(nodes.map((node) => [node, 0]));
    for (let model = 0; model < 500; model++) {
      for (const node of afresh(`models/m${model}/versions/1`, nodes, 2)) held.set(node, held.get(node)! + 1);
    }
    for (const [node, count] of held) expect(count, node).to.be.within(90, 160);
  });

  it("leaves a version where it is ready until every chosen node has it ready", () => {
    fc.assert(
      fc.property(versions, nodeIds, replicaCount, fc.infiniteStream(fc.boolean()), (version, nodes, count, coins) => {
        const members = membersOf(nodes);
        const readyOn = members.filter(() => coins.next().value);
        const { chosen, kept } = idealPlacement(demandOf(version, { count, readyOn }), members);
        expect(idsOf(chosen)).to.deep.equal(afresh(version, nodes, count));
        const hasArrived = chosen.every(({ member }) => readyOn.includes(member));
        const left = readyOn.filter((member) => !idsOf(chosen).includes(member.id));
        expect(idsOf(kept)).to.deep.equal(hasArrived ? [] : left.map(({ id }) => id));
      }),
    );
  });
});

describe("the placement that memory affords", () => {
  const placed = (demands: readonly Demand[], members: readonly Member[]): readonly Placement[] =>
    affordablePlacements(
      demands.map((demand) => ({ demand, ideal: idealPlacement(demand, members) })),
      members,
    );
  /** The names of the nodes of each version, kept ones in brackets. */
  const shown = (placements: readonly Placement[]) =>
    placements.map(({ chosen, kept }) => [...idsOf(chosen), ...idsOf(kept).map((id) => `(${id})`)].join(" "));

  const demand = fc.record({
    version: versions,
    count: replicaCount,
    bytes: fc.integer({ min: 1, max: 5 }),
    priority: fc.constantFrom(0 as const, 1 as const, 2 as const),
    coins: fc.infiniteStream(fc.boolean()),
  });
  const demandsOf = (members: readonly Member[], list: { version: string; coins: Iterator<boolean> }[]) =>
    list.map(({ version, coins, ...rest }) =>
      demandOf(version, { ...rest, readyOn: members.filter(() => coins.next().value) }),
    );

  it("is the ideal one where that fits in", () => {
    fc.assert(
      fc.property(fc.array(demand, { maxLength: 8 }), nodeIds, (list, nodes) => {
        const demands = demandsOf(membersOf(nodes), list);
        const members = membersOf(Object.fromEntries(nodes.map((node) => [node, 8 * 5])));
        const same = demands.map(({ readyOn, ...rest }) => ({
          ...rest,
          readyOn: readyOn.map(({ member, fit }) => ({ member: members.find(({ id }) => id === member.id)!, fit })),
        }));
        expect(placed(same, members)).to.deep.equal(same.map((one) => idealPlacement(one, members)));
      }),
    );
  });

  const budgets = fc.dictionary(fc.stringMatching(/^[a-z]$/), fc.integer({ min: 1, max: 9 }), {
    minKeys: 1,
    maxKeys: 5,
  });
  /** What is left of the memory of each member. */
  function left(members: readonly Member[], placements: readonly Placement[]): ReadonlyMap<Member, number> {
    const bytes = new Map(members.map((member) => [member, member.budgetBytes]));
    for (const { chosen, kept } of placements) {
      for (const { member, fit } of [...chosen, ...kept]) bytes.set(member, bytes.get(member)! - fit.memoryBytes);
    }
    return bytes;
  }

  it("never asks a node for more than it has", () => {
    fc.assert(
      fc.property(fc.array(demand, { maxLength: 8 }), budgets, (list, nodes) => {
        const members = membersOf(nodes);
        const placements = placed(demandsOf(members, list), members);
        expect(Math.min(...left(members, placements).values())).to.be.at.least(0);
      }),
    );
  });

  it("leaves no version without a replica that there is room for", () => {
    fc.assert(
      fc.property(fc.array(demand, { maxLength: 8 }), budgets, (list, nodes) => {
        const members = membersOf(nodes);
        const demands = list.map(({ version, count, bytes, priority }) =>
          demandOf(version, { count, bytes, priority }),
        );
        const placements = placed(demands, members);
        const bytesLeft = left(members, placements);
        for (const [index, { chosen }] of placements.entries()) {
          const { count, bytesMin } = demands[index];
          const others = members.filter((member) => chosen.every((place) => place.member !== member));
          const open = others.filter((member) => bytesLeft.get(member)! >= bytesMin);
          expect(chosen.length === count || open.length === 0).to.equal(true);
        }
      }),
    );
  });

  it("comes by priority, and among equals in the order in which they are named", () => {
    const members = membersOf({ n1: 2 });
    const demands = [
      demandOf("models/a/versions/1", { priority: 2 }),
      demandOf("models/b/versions/1", { priority: 1 }),
      demandOf("models/c/versions/1", { priority: 0 }),
      demandOf("models/d/versions/1", { priority: 0 }),
      demandOf("models/e/versions/1", { priority: 0 }),
    ];
    expect(shown(placed(demands, members))).to.deep.equal(["", "", "n1", "n1", ""]);
  });

  it("takes the place of what comes later by priority, also where that is ready", () => {
    const members = membersOf({ n1: 1 });
    const other = demandOf("models/a/versions/1", { priority: 2, readyOn: members });
    expect(shown(placed([other, demandOf("models/b/versions/1")], members))).to.deep.equal(["", "n1"]);
  });

  it("is somewhere for each before it is anywhere twice", () => {
    const members = membersOf({ n1: 2, n2: 1 });
    const demands = ["a", "b", "c"].map((model) => demandOf(`models/${model}/versions/1`, { count: 2 }));
    const counts = placed(demands, members).map(({ chosen }) => chosen.length);
    expect(counts).to.deep.equal([1, 1, 1]);
  });

  it("keeps a version in its last ready place, whoever of its equals wants that", () => {
    const members = membersOf({ n1: 1 });
    const demands = [demandOf("models/a/versions/1"), demandOf("models/b/versions/1", { readyOn: members })];
    expect(shown(placed(demands, members))).to.deep.equal(["", "n1"]);
  });

  it("gives up a second ready place for an equal that has none", () => {
    const members = membersOf({ n1: 1, n2: 1 });
    const old = demandOf("models/m/versions/1", { count: 2, readyOn: members });
    const moved = demandOf("models/m/versions/2", { count: 2 });
    const [first, second] = placed([moved, old], members).map(({ chosen }) => idsOf(chosen));
    expect([...first, ...second].sort()).to.deep.equal(["n1", "n2"]);
    expect(first).to.have.length(1);
  });

  it("lets an equal that is nowhere choose before those move that could be better off", () => {
    // It would rather be on n1, which is where the other one must go.
    const [a, b] = ["models/a/versions/1", "models/b/versions/1"];
    const [best, other] = afresh(a, ["n1", "n2"], 2);
    const members = membersOf({ [best]: 2, [other]: 1 });
    const moving = demandOf(a, { bytes: 1, readyOn: members.filter(({ id }) => id === other) });
    expect(shown(placed([moving, demandOf(b, { bytes: 2 })], members))).to.deep.equal([other, best]);
  });
});
