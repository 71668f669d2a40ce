import type { Measured } from "../harness/figures.ts";
import type { Workplace } from "../harness/scenario.ts";
import { besideTorch, type Costs } from "./beside-torch.ts";
import { denseNetworks } from "./networks.ts";

/** Dense networks of six shapes, and the geometric mean of how much faster they are. */
export async function dense(place: Workplace): Promise<Measured[]> {
  const rows: Measured[] = [];
  const all: Costs[] = [];
  for (const network of denseNetworks) {
    place.tell(network.name);
    const measured = await besideTorch(place, network);
    rows.push(...measured.rows);
    all.push(measured.costs);
  }
  const mean = (cost: "engine" | "eager", round: number) =>
    Math.exp(all.reduce((sum, costs) => sum - Math.log(costs[cost][round].seconds), 0) / all.length);
  const runs = all[0].engine.map((_, round) => ({ value: mean("engine", round), baseline: mean("eager", round) }));
  const goal = { of: "ratio", kind: "at least", bound: 1.5 } as const;
  const metric = "dense networks, geometric mean";
  const ifMissed = "the optimizer takes ten passes over each parameter, one after the other, where PyTorch takes seven";
  return [...rows, { metric, unit: "steps/s", runs, baselineOf: "PyTorch, eager", goal, ifMissed }];
}
