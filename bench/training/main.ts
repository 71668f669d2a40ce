import type { Scenario, Scenarios } from "../harness/scenario.ts";
import { besideTorch } from "./beside-torch.ts";
import { build } from "./build.ts";
import { dense } from "./dense.ts";
import { digits } from "./digits.ts";
import { memory } from "./memory.ts";
import { type BenchNetwork, gpt, lenet, resnet18 } from "./networks.ts";

const beside =
  (network: BenchNetwork, ratioMin: number): Scenario =>
  async (place) =>
    (await besideTorch(place, network, ratioMin)).rows;

/** What training promises in numbers. */
export const scenarios: Scenarios = {
  dense,
  gpt: beside(gpt, 1),
  lenet: beside(lenet, 0.9),
  resnet18: beside(resnet18, 0.8),
  build,
  memory,
  digits,
};
