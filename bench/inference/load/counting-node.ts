import { type Clock, systemClock } from "../../../lib/clock.ts";
import { type Environment, Settings } from "../../../lib/env.ts";
import { EventLoopDelay } from "../../../lib/metrics/event-loop-delay.ts";
import { setCollectorFlags } from "../../../lib/process.ts";
import { readInferenceConfig } from "../../../services/inference/config.ts";
import { InferenceService } from "../../../services/inference/service.ts";
import { VersionStatistics } from "../../../services/inference/statistics/version-statistics.ts";

// A node in this process that can be told to count nothing for a while, for which nodes have no setting.

let isCounting = true;
let runs = 0;
let counted = 0;

const { ran, answered, failed } = VersionStatistics.prototype;
Object.assign(VersionStatistics.prototype, {
  ran(this: VersionStatistics, ...values: Parameters<VersionStatistics["ran"]>) {
    runs++;
    if (!isCounting) return;
    counted++;
    ran.apply(this, values);
  },
  answered(this: VersionStatistics, ...values: Parameters<VersionStatistics["answered"]>) {
    if (isCounting) answered.apply(this, values);
  },
  failed(this: VersionStatistics, ...values: Parameters<VersionStatistics["failed"]>) {
    if (isCounting) failed.apply(this, values);
  },
});

/** Stands still while nothing is counted: times are read for the figures. */
let stoodAtMs = 0;
const clock: Clock = { ...systemClock, monotonicMs: () => (isCounting ? systemClock.monotonicMs() : stoodAtMs) };

let eventLoop: EventLoopDelay | undefined;
const { start } = EventLoopDelay.prototype;
EventLoopDelay.prototype.start = function startKnown(): void {
  eventLoop = this;
  start.call(this);
};

/** Starts the node with these settings. Answers where it listens. */
export async function listen(
  environment: Environment,
): Promise<{ readonly port: number; readonly metricsPort: number }> {
  setCollectorFlags();
  const service = new InferenceService(readInferenceConfig(new Settings(environment)), { clock });
  const { port } = await service.start();
  return { port, metricsPort: service.metricsPort };
}

/** What the node has done since its start. */
export interface Seen {
  /** Processor time of the whole process, in microseconds. */
  readonly cpu: number;
  /** Runs of the model, and those of them that were counted. */
  readonly runs: number;
  readonly counted: number;
}

export function seen(): Seen {
  const { user, system } = process.cpuUsage();
  return { cpu: user + system, runs, counted };
}

/** From now on the node counts, or does not. */
export function turn(counts: boolean): Seen {
  if (counts !== isCounting) {
    stoodAtMs = systemClock.monotonicMs();
    isCounting = counts;
    if (counts) eventLoop?.start();
    else eventLoop?.stop();
  }
  return seen();
}
