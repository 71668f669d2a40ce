import { Settings } from "../../lib/env.ts";
import { Random } from "../../lib/random.ts";
import { type BalanceSettings, readBalanceSettings } from "../../services/gateway/balance/balance-settings.ts";
import { Balancer } from "../../services/gateway/balance/balancer.ts";
import type { Outcome } from "../../services/gateway/balance/replica.ts";
import { SimulatedNode, Simulation } from "./simulation.ts";

/** The settings of balancing as they are where nobody sets them. */
export const presets = readBalanceSettings(new Settings({}));

/** Nodes with so many cores that answer within 10 ms, and a balancer that spreads calls over them. */
export function stage(cores: Readonly<Record<string, number>>, settings: Partial<BalanceSettings> = {}) {
  const clock = new Simulation();
  const random = new Random(5);
  const nodes = new Map(
    Object.entries(cores).map(([name, count]) => [
      name,
      new SimulatedNode(clock, name, count, () => ({ ms: 5 + 10 * random.uniform() })),
    ]),
  );
  const facts = new Map(
    [...nodes].map(([name, node]) => [name, { zone: name.split("-")[0]!, capacity: node.cores }] as const),
  );
  const balancer = new Balancer(
    { ...presets, ...settings },
    { node: (address) => nodes.get(address), clock, random: () => random.uniform() },
  );
  let route = { model: "m", version: 1, replicas: Object.keys(cores), reason: "", memory: {} };
  const pick = (candidates = route.replicas) => balancer.pick(route, facts, candidates);
  const note = (node: string, outcome: Outcome, ms = 10) => balancer.note(route, node, outcome, ms);
  let failed = 0;
  const call = (deadlineMs = Infinity) => {
    const node = nodes.get(pick())!;
    const sentMs = clock.monotonicMs();
    let isOver = false;
    const cancel = clock.after(deadlineMs, () => {
      isOver = true;
      failed++;
      node.drop();
      note(node.address, "cut", deadlineMs);
    });
    node.call((fails) => {
      if (isOver) return;
      cancel();
      if (fails) failed++;
      note(node.address, fails ? "failed" : "answered", clock.monotonicMs() - sentMs);
    });
  };
  return {
    clock,
    node: (name: string) => nodes.get(name)!,
    balancer,
    pick,
    note,
    call,
    takeOver: (replicas: string[]) => {
      route = { ...route, replicas };
    },
    failed: () => failed,
    /** Lets calls come by chance, and counts what each node gets. */
    run: (perSecond: number, seconds: number, deadlineMs = Infinity) => {
      const before = new Map([...nodes].map(([name, node]) => [name, node.calls]));
      clock.poisson(perSecond, clock.now() + seconds * 1000, random, () => call(deadlineMs));
      clock.run(seconds * 1000);
      return Object.fromEntries([...nodes].map(([name, node]) => [name, node.calls - before.get(name)!]));
    },
  };
}

/** Of counts by node. */
export function shareOf(counts: Readonly<Record<string, number>>, name: string): number {
  return counts[name]! / Object.values(counts).reduce((sum, count) => sum + count, 0);
}
