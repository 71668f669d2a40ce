import { type Distribution, Histogram } from "./histogram.ts";
import type { Metrics } from "./metrics.ts";

/**
 * How long the event loop of this thread is kept from what arrives, since the start: how long each of its turns took, without the time
 * in which it waited for something to do. It looks at the end of every turn, so that it sees every stall, and as long as it was, and
 * costs a thread that does nothing nothing. What the system makes a thread wait for a processor counts within a turn, and not before it.
 */
export class EventLoopDelay {
  readonly #turns = new Histogram(boundsMs);
  #maxMs = 0;
  /** As of the last reading: turns end while one is written. */
  #read: Distribution = this.#turns;
  /** As of the end of the last turn. */
  #busyMs = 0;
  #next: NodeJS.Immediate | undefined;

  start(): void {
    this.#busyMs = busyMs();
    this.#awaitTurn();
  }

  stop(): void {
    clearImmediate(this.#next);
  }

  /** Adds its metrics. */
  describe(metrics: Metrics): void {
    metrics.prepare(() => {
      const { bounds, counts, sum } = this.#turns;
      this.#read = { bounds, counts: counts.slice(), sum };
    });
    metrics.histogram(
      "amaas_event_loop_delay_seconds",
      "How long the event loop was busy with a turn, and so what arrived meanwhile had to wait at most.",
      () => [{ labels: {}, value: this.#read }],
      1000,
    );
    metrics.counter("amaas_event_loop_stalls_total", `How often that was more than ${stallMs} ms.`, () => [
      { labels: {}, value: stallCount(this.#read) },
    ]);
    metrics.gauge("amaas_event_loop_delay_max_seconds", "How long it was at the most, since the start.", () => [
      { labels: {}, value: this.#maxMs / 1000 },
    ]);
  }

  /** One that nothing else waits for neither begins a turn nor keeps the process. */
  #awaitTurn(): void {
    this.#next = setImmediate(this.#endTurn).unref();
  }

  readonly #endTurn = (): void => {
    const nowMs = busyMs();
    const turnMs = nowMs - this.#busyMs;
    this.#busyMs = nowMs;
    this.#turns.add(turnMs);
    if (turnMs > this.#maxMs) this.#maxMs = turnMs;
    this.#awaitTurn();
  };
}

/** A turn from which on a stall is counted. */
const stallMs = 10;
const boundsMs = [1, 2, 5, stallMs, 20, 50, 100, 200, 500, 1000, 5000];

function stallCount({ counts }: Distribution): number {
  return Array.from(counts)
    .slice(boundsMs.indexOf(stallMs) + 1)
    .reduce((sum, count) => sum + count, 0);
}

/** How long the event loop has been busy so far. */
function busyMs(): number {
  return performance.eventLoopUtilization().active;
}
