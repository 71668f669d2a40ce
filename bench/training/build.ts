import type { Measured } from "../harness/figures.ts";
import type { Workplace } from "../harness/scenario.ts";
import { engine } from "./beside-torch.ts";
import { resnet18 } from "./networks.ts";

const rounds = 5;

/** How long it takes to make a training graph, the first time that a process does so. */
export async function build(place: Workplace): Promise<Measured[]> {
  const runs: Measured["runs"][number][] = [];
  for (let round = 0; round < rounds; round++) {
    const builder = engine(place);
    runs.push({ value: await builder.call("buildMs", resnet18) });
    await builder.stop();
  }
  const goal = { of: "value", kind: "at most", bound: 1000 } as const;
  return [{ metric: `${resnet18.name}, training graph built as a file`, unit: "ms", runs, goal }];
}
