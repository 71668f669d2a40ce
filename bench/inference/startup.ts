import { beside, inRounds, type Measured } from "../harness/figures.ts";
import type { Workplace } from "../harness/scenario.ts";
import { smallModel } from "./models.ts";
import { type HeldModel, startNode } from "./running-node.ts";

const rounds = 5;
const models = Array.from({ length: 20 }, (_, index) => ({ name: `small-${index}`, file: smallModel(index) }));

/** From the start of the process until it takes requests. */
export async function startup(place: Workplace): Promise<Measured[]> {
  const started = (kind: string, held: readonly HeldModel[]) => async (round: number) => {
    const node = await startNode(place, { name: `${kind}-${round}`, models: held });
    await node.stop();
    return node.startMs;
  };
  const figures = await inRounds(rounds, { none: started("none", []), many: started("many", models) });
  return [
    {
      metric: `start until ${models.length} small models are ready`,
      unit: "ms",
      runs: beside(figures.many, figures.none),
      baselineOf: "a node without models",
      goal: { of: "value", kind: "at most", bound: 2000 },
      ifMissed:
        "processor time: each model has a thread of its own, and one costs 45 to 65 ms, of which 30 are what Node.js needs to start a thread " +
        "that does nothing, and the rest to import, to check and to load the model, and to run it once",
    },
  ];
}
