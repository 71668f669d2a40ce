import type { Clock } from "../../../lib/clock.ts";
import type { Log } from "../../../lib/log.ts";
import type { Occupancy } from "../batching/occupancy.ts";
import type { InferenceConfig } from "../config.ts";
import { CoreBudget } from "./core-budget.ts";
import { openPool, type PoolParts } from "./open-pool.ts";
import { Replica } from "./replica.ts";
import { ReplicaSet } from "./replica-set.ts";
import { Runners } from "./runners.ts";

/** What the replicas of a node are made of. */
export interface NodeReplicasParts extends Pick<PoolParts, "artifacts" | "startWorker" | "isolations"> {
  /** What works here, best first. */
  readonly offeredProviders: Promise<readonly string[]>;
  /** What waits on the whole node. */
  readonly nodeQueue: Occupancy;
  readonly clock: Clock;
  readonly log: Log;
  /** Called after every change of the table. */
  readonly onChange: () => void;
}

/** The replicas of a node as it is set, with nothing to hold yet. */
export function nodeReplicas(config: InferenceConfig, parts: NodeReplicasParts): ReplicaSet {
  const { offeredProviders, nodeQueue, clock, log, onChange } = parts;
  const cores = new CoreBudget({ coreCount: config.coreCount, waitMsMax: config.coreWaitMsMax, clock });
  const pools = { ...parts, node: config, cores, random: Math.random };
  const runners = new Runners(config, nodeQueue, clock);
  return new ReplicaSet({
    createReplica: (aspired, onOwnChange, onSequencesEnd) =>
      new Replica(aspired, {
        offeredProviders,
        openPool: (placement, hooks) => openPool(aspired, placement, hooks, pools),
        openRunner: (loaded) => runners.open(aspired, loaded),
        retry: { firstMs: 500, maxMs: 30_000 },
        retryWhenShort: { firstMs: 10_000, maxMs: 300_000 },
        quarantineMs: config.quarantineMs,
        onChange: onOwnChange,
        onSequencesEnd,
        clock,
        random: Math.random,
        log,
      }),
    loadsMax: config.loadsMax,
    budgetBytes: config.memoryBudgetBytes || Infinity,
    demand: { queue: config.queue, nodeQueue, waitMsMax: config.loadWaitMsMax },
    clock,
    onChange,
  });
}
