import type { Clock } from "../../../lib/clock.ts";
import { durationBoundsMs, Histogram } from "../../../lib/metrics/histogram.ts";
import { type FailureKind, failureKinds, type PoolObserver } from "../batching/pool-observer.ts";
import type { RunPhases } from "../worker/thread-protocol.ts";

/** How often something happened, and how long it took in all. */
export interface DurationSum {
  readonly count: number;
  readonly ms: number;
}

/** What the runs of so many rows took. */
export interface BatchSizeStatistics {
  readonly rowCount: number;
  readonly runCount: number;
  /** Of all these runs together. */
  readonly phases: RunPhases;
}

/** What has become of the responses that came at one place in their requests. */
export interface ResponseStatistics {
  readonly answerCount: number;
  /** Of all runs that gave them together. */
  readonly computeMs: number;
  readonly outputMs: number;
  readonly failed: DurationSum;
  /** Those that nobody waited for any longer. */
  readonly cancelled: DurationSum;
}

/** What has become of the requests of a version since it was loaded. */
export class VersionStatistics implements PoolObserver {
  /** Per answered request, or response where it has several, in milliseconds: until its run began. */
  readonly queueMs = new Histogram(durationBoundsMs);
  /** The phases of that run. */
  readonly inputMs = new Histogram(durationBoundsMs);
  readonly computeMs = new Histogram(durationBoundsMs);
  readonly outputMs = new Histogram(durationBoundsMs);
  /** Per request: until its first response, which is the only one where a model gives one. */
  readonly firstResponseMs = new Histogram(durationBoundsMs);
  /** Rows per run. */
  readonly runRows = new Histogram(rowBounds);
  readonly #clock: Clock;
  readonly #failureCounts: Record<FailureKind, number> = { REJECTED: 0, CANCELED: 0, BACKEND: 0, OTHER: 0 };
  readonly #batchSizes = new Map<number, BatchSizeSums>();
  readonly #responses: ResponseSums[] = [];
  #answerCount = 0;
  #failedMs = 0;
  #requestMs = 0;
  #rowCount = 0;
  #lastRunMs = 0;

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  ran(rowCount: number, { inputMs, computeMs, outputMs }: RunPhases): void {
    this.#lastRunMs = this.#clock.now();
    this.runRows.add(rowCount);
    const sums = this.#batchSizes.get(rowCount) ?? this.#newBatchSize(rowCount);
    if (sums === undefined) return;
    sums.runCount++;
    sums.phases.inputMs += inputMs;
    sums.phases.computeMs += computeMs;
    sums.phases.outputMs += outputMs;
  }

  answered(rowCount: number, queueMs: number, phases: RunPhases, totalMs: number, responseIndex?: number): void {
    this.#requestMs += totalMs;
    this.queueMs.add(queueMs);
    this.inputMs.add(phases.inputMs);
    this.computeMs.add(phases.computeMs);
    this.outputMs.add(phases.outputMs);
    const response = responseIndex === undefined ? undefined : this.#responseAt(responseIndex);
    if (response !== undefined) {
      response.answerCount++;
      response.computeMs += phases.computeMs;
      response.outputMs += phases.outputMs;
    }
    // What follows belongs to the same request.
    if (responseIndex) return;
    this.#answerCount++;
    this.#rowCount += rowCount;
    this.firstResponseMs.add(totalMs);
  }

  failed(kind: FailureKind, totalMs: number, responseIndex?: number): void {
    this.#failureCounts[kind]++;
    this.#failedMs += totalMs;
    const response = responseIndex === undefined ? undefined : this.#responseAt(responseIndex);
    if (response === undefined) return;
    const failed = kind === "CANCELED" ? response.cancelled : response.failed;
    failed.count++;
    failed.ms += totalMs;
  }

  /** The requests that were answered, from their arrival to the answer; the times of all responses where they have several. */
  get answers(): DurationSum {
    return { count: this.#answerCount, ms: this.#requestMs };
  }

  /** By their index within their requests: of the first {@link responsesMax}, of models that give several. */
  get responses(): readonly ResponseStatistics[] {
    return this.#responses;
  }

  /** The requests that were not. */
  get failures(): DurationSum {
    return { count: failureKinds.reduce((sum, kind) => sum + this.#failureCounts[kind], 0), ms: this.#failedMs };
  }

  failureCount(kind: FailureKind): number {
    return this.#failureCounts[kind];
  }

  /** The rows of the requests that were answered. */
  get rowCount(): number {
    return this.#rowCount;
  }

  /** The runs that gave outputs. */
  get runCount(): number {
    return this.runRows.count;
  }

  /** When the last of them ended, in milliseconds since 1970; 0 where there was none. */
  get lastRunMs(): number {
    return this.#lastRunMs;
  }

  /** By rows, ascending: of the first {@link batchSizesMax} sizes that there were. */
  get batchSizes(): readonly BatchSizeStatistics[] {
    return [...this.#batchSizes.values()].sort((a, b) => a.rowCount - b.rowCount);
  }

  #responseAt(index: number): ResponseSums | undefined {
    if (index >= responsesMax) return undefined;
    while (this.#responses.length <= index) {
      this.#responses.push({ answerCount: 0, computeMs: 0, outputMs: 0, failed: noSum(), cancelled: noSum() });
    }
    return this.#responses[index];
  }

  #newBatchSize(rowCount: number): BatchSizeSums | undefined {
    if (this.#batchSizes.size >= batchSizesMax) return undefined;
    const sums = { rowCount, runCount: 0, phases: { inputMs: 0, computeMs: 0, outputMs: 0 } };
    this.#batchSizes.set(rowCount, sums);
    return sums;
  }
}

type Sum = { -readonly [Key in keyof DurationSum]: number };

interface ResponseSums {
  answerCount: number;
  computeMs: number;
  outputMs: number;
  readonly failed: Sum;
  readonly cancelled: Sum;
}

function noSum(): Sum {
  return { count: 0, ms: 0 };
}

/** Responses of a request that have statistics of their own. */
const responsesMax = 256;

interface BatchSizeSums {
  readonly rowCount: number;
  runCount: number;
  readonly phases: { -readonly [Phase in keyof RunPhases]: number };
}

/** Sizes of batches that have statistics of their own, so that requests of ever other sizes cost no memory. */
const batchSizesMax = 256;

const rowBounds = [1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 1024];
