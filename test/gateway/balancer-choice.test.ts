import { expect } from "chai";
import fc from "fast-check";
import { Random } from "../../lib/random.ts";
import { Balancer } from "../../services/gateway/balance/balancer.ts";
import { presets } from "./balance-stage.ts";
import { Simulation } from "./simulation.ts";

describe("a choice of the balancer", () => {
  it("is that of the rules as they are written, node by node and number by number", () => {
    const node = fc.record({
      capacity: fc.integer({ min: 1, max: 16 }),
      isNear: fc.boolean(),
      isCandidate: fc.boolean(),
      outstanding: fc.nat(20),
      isReachable: fc.boolean(),
      // Long ago, which means the same as never.
      reconnectedMs: fc.constantFrom(-Infinity, -1e9),
    });
    const nodes = fc.array(node, { minLength: 1, maxLength: 12 });
    fc.assert(
      fc.property(nodes, fc.boolean(), fc.nat(), fc.nat(3), (drawn, isAll, seed, zoneCallsPerCore) => {
        const named = drawn.map((each, index) => ({ ...each, address: `n:${index}` }));
        const asked = isAll ? named : named.filter(({ isCandidate }) => isCandidate);
        if (asked.length === 0) return;
        const random = new Random(seed);
        const balancer = new Balancer(
          { ...presets, zone: "here", zoneCallsPerCore },
          {
            node: (address) => named.find((each) => each.address === address),
            clock: new Simulation(),
            random: () => random.uniform(),
          },
        );
        const facts = new Map(
          named.map(({ address, capacity, isNear }) => [address, { zone: isNear ? "here" : "there", capacity }]),
        );
        const replicas = named.map(({ address }) => address);
        const route = { model: "m", version: 1, replicas, reason: "", memory: {} };
        const candidates = isAll ? replicas : asked.map(({ address }) => address);
        const same = new Random(seed);
        const zone = zoneCallsPerCore === 0 ? [] : named.filter(({ isNear }) => isNear);
        const others = named.filter((each) => !zone.includes(each));
        for (let count = 0; count < 5; count++) {
          const wanted = plainPick({ zone, others, asked, zoneCallsPerCore, random: () => same.uniform() });
          expect(balancer.pick(route, facts, candidates)).to.equal(wanted.address);
        }
      }),
    );
  });
});

interface PlainNode {
  readonly address: string;
  readonly capacity: number;
  readonly outstanding: number;
  readonly isReachable: boolean;
}

/** The choice among replicas that are neither new nor in trouble, by the rules as they are written. */
function plainPick(stage: {
  readonly zone: readonly PlainNode[];
  readonly others: readonly PlainNode[];
  readonly asked: readonly PlainNode[];
  readonly zoneCallsPerCore: number;
  readonly random: () => number;
}): PlainNode {
  const { zone, others, asked, zoneCallsPerCore, random } = stage;
  const ticketOf = (nodes: readonly PlainNode[]) => {
    const tickets = nodes.flatMap((node) => Array.from({ length: node.capacity }, () => node));
    return tickets[Math.floor(random() * tickets.length)]!;
  };
  const load = ({ outstanding, capacity }: PlainNode) => outstanding / capacity;
  const draw = (nodes: readonly PlainNode[], without?: PlainNode) => {
    const isOpen = (node: PlainNode) => node !== without && node.isReachable && asked.includes(node);
    if (nodes.length === 1) return nodes.find(isOpen);
    for (let tries = 0; nodes.length > 0 && tries < 8; tries++) {
      const node = ticketOf(nodes);
      if (isOpen(node)) return node;
    }
    return nodes.length === 0 ? undefined : ticketOf(nodes.filter(isOpen));
  };
  const betterOfTwo = (nodes: readonly PlainNode[]) => {
    const first = draw(nodes);
    const second = first && nodes.length > 1 ? draw(nodes, first) : undefined;
    return first && second && load(second) < load(first) ? second : first;
  };
  const near = betterOfTwo(zone);
  const far = near && load(near) < zoneCallsPerCore ? undefined : betterOfTwo(others);
  const chosen = near && far && load(far) < load(near) ? far : (near ?? far);
  if (chosen) return chosen;
  const reachable = asked.filter(({ isReachable }) => isReachable);
  const left = reachable.length > 0 ? reachable : asked;
  return left[Math.floor(random() * left.length)]!;
}
