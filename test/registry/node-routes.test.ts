import { expect } from "chai";
import { NodeRoutes } from "../../services/registry/control/node-routes.ts";
import { nodeOf } from "./plan-inputs.ts";

const inZone = (id: string, zone: string, cores = 1, address = `${id}:1`) =>
  nodeOf(id, {}, { address, zone, capabilities: { cores } });

describe("what gateways are told of nodes", () => {
  it("is their zone and capacity, at least 1, once and whenever it changes", () => {
    const nodes = new NodeRoutes();
    const [first, busier] = [inZone("a", "z", 0), { ...inZone("a", "z", 0), memoryBytes: 5 }];
    nodes.replace(undefined, first);
    expect(nodes.changes()).to.deep.equal({ told: [{ address: "a:1", zone: "z", capacity: 1 }], gone: [] });
    nodes.replace(first, busier);
    expect(nodes.changes()).to.deep.equal({ told: [], gone: [] });
    nodes.replace(busier, inZone("a", "z", 16));
    expect(nodes.changes()).to.deep.equal({ told: [{ address: "a:1", zone: "z", capacity: 16 }], gone: [] });
  });

  it("is that they are gone once nobody has their address, and nothing where they were never told", () => {
    const nodes = new NodeRoutes();
    nodes.replace(undefined, inZone("a", "z"));
    nodes.replace(inZone("a", "z"), undefined);
    expect(nodes.changes()).to.deep.equal({ told: [], gone: [] });
    nodes.replace(undefined, inZone("a", "z"));
    nodes.changes();
    nodes.replace(inZone("a", "z"), inZone("a", "z", 1, "moved:1"));
    expect(nodes.changes()).to.deep.equal({
      told: [{ address: "moved:1", zone: "z", capacity: 1 }],
      gone: ["a:1"],
    });
  });

  it("is of two with one address what came last, and of the other once that is gone", () => {
    const nodes = new NodeRoutes();
    const [old, fresh] = [inZone("old", "a", 1, "n:1"), inZone("new", "b", 1, "n:1")];
    nodes.replace(undefined, old);
    nodes.replace(undefined, fresh);
    expect(nodes.changes().told.map(({ zone }) => zone)).to.deep.equal(["b"]);
    nodes.replace(old, undefined);
    expect(nodes.changes()).to.deep.equal({ told: [], gone: [] });
    nodes.replace(undefined, old);
    nodes.replace(old, undefined);
    nodes.changes();
    nodes.replace(fresh, undefined);
    expect(nodes.changes()).to.deep.equal({ told: [], gone: ["n:1"] });
  });
});
