import { extname } from "node:path";
import { systemClock } from "../../../lib/clock.ts";
import { EventLoopDelay } from "../../../lib/metrics/event-loop-delay.ts";

/**
 * Loaded into a node before its own code, takes the counting out: what it would cost is measured beside this. Nodes have no setting
 * for it.
 */
const statistics = new URL(
  `../../../services/inference/statistics/version-statistics${extname(import.meta.url)}`,
  import.meta.url,
);
const { VersionStatistics } = await import(statistics.href);
const nothing = () => undefined;
Object.assign(VersionStatistics.prototype, { ran: nothing, answered: nothing, failed: nothing });
Object.assign(EventLoopDelay.prototype, { start: nothing });
Object.assign(systemClock, { monotonicMs: () => 0 });
