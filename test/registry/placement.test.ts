import { expect } from "chai";
import fc from "fast-check";
import { placement } from "../../services/registry/control/placement.ts";

const nodeIds = fc.uniqueArray(fc.stringMatching(/^[a-z][a-z0-9-]{0,11}$/), { minLength: 1, maxLength: 12 });
const versions = fc.stringMatching(/^models\/[a-z]{1,6}\/versions\/[1-9]$/);
const replicaCount = fc.integer({ min: 1, max: 4 });

/** Where a version goes when nothing is loaded anywhere. */
const afresh = (key: string, nodes: readonly string[], count: number) =>
  [...placement({ key, readyOn: [] }, nodes, count)].sort();

describe("placement", () => {
  it("chooses as many nodes as there should be replicas, or all of a smaller fleet", () => {
    fc.assert(
      fc.property(versions, nodeIds, replicaCount, (key, nodes, count) => {
        const chosen = afresh(key, nodes, count);
        expect(chosen).to.have.length(Math.min(count, nodes.length));
        expect(nodes).to.include.members(chosen);
      }),
    );
  });

  it("does not depend on the order in which nodes are named", () => {
    fc.assert(
      fc.property(versions, nodeIds, replicaCount, (key, nodes, count) => {
        expect(afresh(key, [...nodes].reverse(), count)).to.deep.equal(afresh(key, nodes, count));
      }),
    );
  });

  it("moves a version only to the node that joins, and away from at most one", () => {
    fc.assert(
      fc.property(versions, nodeIds, replicaCount, (key, [joining, ...nodes], count) => {
        const [before, after] = [afresh(key, nodes, count), afresh(key, [joining!, ...nodes], count)];
        const gained = after.filter((node) => !before.includes(node));
        const lost = before.filter((node) => !after.includes(node));
        expect(gained.every((node) => node === joining)).to.equal(true);
        expect(lost.length).to.equal(nodes.length < count ? 0 : gained.length);
      }),
    );
  });

  it("replaces exactly the replicas of a node that leaves", () => {
    fc.assert(
      fc.property(versions, nodeIds, replicaCount, (key, [leaving, ...nodes], count) => {
        const [before, after] = [afresh(key, [leaving!, ...nodes], count), afresh(key, nodes, count)];
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
      fc.property(versions, nodeIds, replicaCount, fc.infiniteStream(fc.boolean()), (key, nodes, count, coins) => {
        const readyOn = nodes.filter(() => coins.next().value);
        const chosen = afresh(key, nodes, count);
        const placed = [...placement({ key, readyOn }, nodes, count)].sort();
        const arrived = chosen.every((node) => readyOn.includes(node));
        expect(placed).to.deep.equal(arrived ? chosen : [...new Set([...chosen, ...readyOn])].sort());
      }),
    );
  });

  it("never places a version on a node that is no candidate, though it is ready there", () => {
    expect([...placement({ key: "models/m/versions/1", readyOn: ["gone"] }, ["here"], 2)]).to.deep.equal(["here"]);
  });
});
