import type { Clock } from "../../../lib/clock.ts";
import type { Log } from "../../../lib/log.ts";
import type { ArtifactCache } from "../artifacts/artifact-cache.ts";
import type { Occupancy } from "../batching/occupancy.ts";
import type { PoolObserver } from "../batching/pool-observer.ts";
import type { Isolation } from "../isolation/isolation.ts";
import type { Isolations } from "../isolation/isolations.ts";
import { foundBatchSize } from "../warm-up/found-batch-size.ts";
import { WarmUpTime } from "../warm-up/overdue.ts";
import { warmedUp } from "../warm-up/warmed-up.ts";
import type { StartWorker } from "../worker/worker-thread.ts";
import type { AspiredVersion } from "./aspired-version.ts";
import type { CoreBudget } from "./core-budget.ts";
import type { InstanceOptions } from "./instance.ts";
import { InstancePool } from "./instance-pool.ts";
import type { Placement } from "./placement.ts";
import { foundThreadsMax, type NodeSettings, poolSettings } from "./pool-settings.ts";
import { loadInstance } from "./verified-instance.ts";

/** What all pools of a node share. */
export interface PoolParts {
  readonly artifacts: Pick<ArtifactCache, "fetch" | "discard">;
  readonly startWorker: StartWorker;
  readonly isolations: Pick<Isolations, "of" | "distrust">;
  readonly node: NodeSettings &
    Pick<InstanceOptions, "loadMsMax" | "runMsMax"> & {
      /** What sessions run in where nothing else is set. */
      readonly isolation: Isolation;
      /** By how much its threads are nicer than the event loop's, 0 to 19. */
      readonly niceness: number;
      /** How long the runs of a session may take together before it is ready, in milliseconds. */
      readonly warmUpMsMax: number;
    };
  readonly nodeQueue: Occupancy;
  readonly cores: CoreBudget;
  readonly clock: Clock;
  /** In [0, 1). */
  readonly random: () => number;
  readonly log: Log;
}

/** Who is told what happens in a pool. */
export interface PoolHooks {
  readonly observer: PoolObserver;
  /** Both as in `PoolOptions`. */
  readonly onQuarantine: (why: string) => void;
  readonly onLost: () => void;
}

/** The pool of a version where it is placed, with nothing loaded yet. */
export function openPool(
  { model, version, content, settings }: AspiredVersion,
  { executionProvider, fallbackProviders }: Placement,
  hooks: PoolHooks,
  parts: PoolParts,
): InstancePool {
  const { batching } = settings;
  const { artifacts, startWorker, isolations, node, nodeQueue, cores, clock, random } = parts;
  const { sha256 } = content.modelFile;
  const log = parts.log.child({ model, version });
  const { keeps, ...pool } = poolSettings(settings, executionProvider, node);
  return new InstancePool({
    ...pool,
    ...hooks,
    nodeQueue,
    cores,
    restart: { firstMs: 50, maxMs: 30_000 },
    crashes: { countMax: 3, withinMs: 60_000 },
    startInstance: async (intraOpThreads) => {
      const run = {
        executionProviders: [executionProvider, ...fallbackProviders],
        intraOpThreads: intraOpThreads || foundThreadsMax(node),
        findsThreads: intraOpThreads === 0,
        niceness: node.niceness,
        keeps,
      };
      const isolation = isolations.of(sha256, settings.isolation ?? node.isolation);
      const instance = await loadInstance(content, run, {
        artifacts,
        startWorker: (start) => startWorker(start, isolation),
        loadMsMax: node.loadMsMax,
        runMsMax: node.runMsMax,
        onLeftBehind: (why) => isolations.distrust(sha256, why),
        clock,
        log,
      });
      return warmedUp(instance, settings, new WarmUpTime(clock, node.warmUpMsMax), random);
    },
    // At the end of the turn of the event loop that has read them.
    soon: setImmediate,
    findBatchSize: (instance) => {
      const time = new WarmUpTime(clock, node.warmUpMsMax);
      return foundBatchSize(instance, settings, batching!.maxBatchSize, { time, clock, random, log });
    },
    clock,
    random,
    log,
  });
}
