import type { Clock } from "../../lib/clock.ts";
import { createLog } from "../../lib/log.ts";
import { Occupancy } from "../../services/inference/batching/occupancy.ts";
import { CoreBudget } from "../../services/inference/replicas/core-budget.ts";
import type { PoolOptions } from "../../services/inference/replicas/instance-pool.ts";
import { VersionStatistics } from "../../services/inference/statistics/version-statistics.ts";
import { plenty } from "./bounds.ts";

/** Of a pool of one instance that joins nothing, bounds nothing and waits for nobody. */
export function poolOptions(clock: Clock, startInstance: PoolOptions["startInstance"]): PoolOptions {
  return {
    sessionThreads: [1],
    queue: plenty,
    nodeQueue: new Occupancy(plenty),
    batching: undefined,
    defaultTimeoutMs: Infinity,
    restart: { firstMs: 100, maxMs: 1000 },
    crashes: { countMax: 1000, withinMs: 60_000 },
    cores: new CoreBudget({ coreCount: Infinity, waitMsMax: Infinity, clock }),
    soon: (callback) => callback(),
    findBatchSize: async () => 1,
    onQuarantine: () => undefined,
    onLost: () => undefined,
    startInstance,
    observer: new VersionStatistics(clock),
    clock,
    random: () => 0.999,
    log: createLog("test", "silent"),
  };
}
