import { type IntervalHistogram, monitorEventLoopDelay } from "node:perf_hooks";
import type { Distribution } from "./histogram.ts";
import type { Metrics } from "./metrics.ts";

/** How late the event loop of this thread is, since the start: measured every millisecond by the runtime itself. */
export class EventLoopDelay {
  readonly #monitor = monitorEventLoopDelay({ resolution: resolutionMs });
  /** As of the last reading. */
  #distribution: Distribution = distributionOf(this.#monitor);

  start(): void {
    this.#monitor.enable();
  }

  stop(): void {
    this.#monitor.disable();
  }

  /** Adds its metrics. */
  describe(metrics: Metrics): void {
    metrics.prepare(() => {
      this.#distribution = distributionOf(this.#monitor);
    });
    metrics.histogram(
      "amaas_event_loop_delay_seconds",
      "How late the event loop came to a timer that is due every millisecond.",
      () => [{ labels: {}, value: this.#distribution }],
      1000,
    );
    metrics.counter("amaas_event_loop_stalls_total", `How often it was more than ${stallMs} ms late.`, () => [
      { labels: {}, value: stallCount(this.#distribution) },
    ]);
    metrics.gauge("amaas_event_loop_delay_max_seconds", "How late it was at the worst, since the start.", () => [
      { labels: {}, value: this.#monitor.count === 0 ? 0 : delayMsAt(this.#monitor, 1) / 1000 },
    ]);
  }
}

/** How often the runtime looks; what it measures includes that time. */
const resolutionMs = 1;
/** A delay from which on a stall is counted. */
const stallMs = 10;
const boundsMs = [1, 2, 5, stallMs, 20, 50, 100, 200, 500, 1000, 5000];
const nsPerMs = 1e6;

/** Never resets the monitor: it would miss what happens until its next look, such as the making of the text. */
function distributionOf(monitor: IntervalHistogram): Distribution {
  const { count } = monitor;
  if (count === 0) return { bounds: boundsMs, counts: new Float64Array(boundsMs.length + 1), sum: 0 };
  const counts: number[] = [];
  let before = 0;
  for (const boundMs of boundsMs) {
    const upTo = countUpTo(monitor, count, boundMs, before);
    counts.push(upTo - before);
    before = upTo;
  }
  counts.push(count - before);
  return { bounds: boundsMs, counts, sum: Math.max(0, monitor.mean / nsPerMs - resolutionMs) * count };
}

function stallCount({ counts }: Distribution): number {
  return Array.from(counts)
    .slice(boundsMs.indexOf(stallMs) + 1)
    .reduce((sum, count) => sum + count, 0);
}

/** How many of all delays, at least `low`, are not longer than a bound: the monitor tells percentiles, not counts. */
function countUpTo(monitor: IntervalHistogram, count: number, boundMs: number, low: number): number {
  if (delayMsAt(monitor, 1) <= boundMs) return count;
  let least = low;
  let most = count;
  while (least < most) {
    const middle = Math.ceil((least + most) / 2);
    if (delayMsAt(monitor, middle / count) <= boundMs) least = middle;
    else most = middle - 1;
  }
  return least;
}

function delayMsAt(monitor: IntervalHistogram, quantile: number): number {
  return Math.max(0, monitor.percentile(quantile * 100) / nsPerMs - resolutionMs);
}
