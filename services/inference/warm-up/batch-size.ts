/** How a size is looked for. */
export interface BatchSizeSearch {
  /** Rows of the largest batch that is tried. */
  readonly rowCountMax: number;
  /** Runs a batch; gives how long that took, in milliseconds. */
  readonly run: (rowCount: number) => Promise<number>;
  /** How long all runs may take together, in milliseconds: no further size is tried that would go beyond. */
  readonly budgetMs: number;
}

/** What a batch of a size has taken. */
export interface BatchTime {
  readonly rowCount: number;
  /** In milliseconds. */
  readonly durationMs: number;
}

/**
 * The number of rows to join: sizes are doubled for as long as rows per second grow, and of those that were tried it is the smallest
 * within 5 % of the best. Every size is run three times, and the best time counts: what disturbs a run makes it longer, never shorter.
 */
export async function measuredBatchSize({ rowCountMax, run, budgetMs }: BatchSizeSearch): Promise<number> {
  const times: BatchTime[] = [];
  let spentMs = 0;
  for (let rowCount = 1; rowCount <= rowCountMax; rowCount *= 2) {
    let durationMs = Infinity;
    for (let count = 0; count < runsPerSize; count++) {
      const tookMs = await run(rowCount);
      spentMs += tookMs;
      durationMs = Math.min(durationMs, tookMs);
    }
    times.push({ rowCount, durationMs });
    const nextMs = 2 * durationMs * runsPerSize;
    if (spentMs + nextMs > budgetMs || hasStoppedGrowing(times)) break;
  }
  return smallestNearBest(times);
}

/** The smallest size whose rows per second are within 5 % of the best. */
export function smallestNearBest(times: readonly BatchTime[]): number {
  const best = Math.max(...times.map(throughput));
  return times.find((time) => throughput(time) >= best * nearBest)!.rowCount;
}

/** Two sizes in a row that gain less than that may be noise are enough. */
function hasStoppedGrowing(times: readonly BatchTime[]): boolean {
  const best = Math.max(...times.slice(0, -2).map(throughput));
  return times.length > 2 && times.slice(-2).every((time) => throughput(time) * nearBest <= best);
}

function throughput({ rowCount, durationMs }: BatchTime): number {
  return rowCount / Math.max(durationMs, clockMs);
}

const runsPerSize = 3;
const nearBest = 0.95;
/** Shorter times cannot be told apart. */
const clockMs = 0.001;
