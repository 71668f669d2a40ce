import type { Network } from "../graph/network.ts";
import type { Sessions } from "./sessions.ts";
import { ShardedSteps } from "./shards/sharded-steps.ts";
import { Stepper, type StepperParts, type Steps } from "./stepper.ts";

/** The steps of a training by so many threads; by one, which has the sessions of its training graph, where they are 1. */
export async function openSteps(
  parts: StepperParts,
  network: Network,
  threads: number,
  sessions: Sessions,
): Promise<Steps> {
  return threads > 1 ? ShardedSteps.open(parts, network, threads) : new Stepper(parts, sessions);
}
