import { expect } from "chai";
import { ServiceError } from "../../lib/errors.ts";
import { type BatchSettings, unbatched } from "../../services/inference/batching/batch-settings.ts";
import { InstancePool, type PoolOptions } from "../../services/inference/replicas/instance-pool.ts";
import { VersionStatistics } from "../../services/inference/statistics/version-statistics.ts";
import { ManualClock } from "../manual-clock.ts";
import { plenty } from "./bounds.ts";
import { settled } from "./hand-driven-instance.ts";
import { poolOptions } from "./pool-options.ts";
import { poison, RowInstance, tensorOf } from "./row-instance.ts";

const eight: BatchSettings = { ...unbatched, maxBatchSize: 8, requestRowsMax: 8 };

describe("the statistics of a version", () => {
  let clock: ManualClock;
  let instance: RowInstance;
  let statistics: VersionStatistics;

  const started = async (options: Partial<PoolOptions> = {}) => {
    clock = new ManualClock();
    statistics = new VersionStatistics(clock);
    const pool = new InstancePool({
      ...poolOptions(clock, async () => {
        instance = new RowInstance();
        return instance;
      }),
      batching: eight,
      observer: statistics,
      ...options,
    });
    await pool.start();
    return pool;
  };

  /** Sends numbers, one per row; the answer takes the caller away. */
  const send = (pool: InstancePool, numbers: readonly number[], deadlineMs = Number.POSITIVE_INFINITY) => {
    const caller = new AbortController();
    const input = tensorOf(
      "x",
      numbers.map((number) => [number]),
    );
    const job = { inputs: [input], outputNames: ["y"], inputBytes: input.bytes.byteLength, priority: 0, timeoutMs: 0 };
    pool.run(job, { deadlineMs, signal: caller.signal }).catch(() => undefined);
    return () => caller.abort(new ServiceError("CANCELLED", "gone"));
  };
  const failureCounts = () =>
    Object.fromEntries(
      (["REJECTED", "CANCELED", "BACKEND", "OTHER"] as const).map((kind) => [kind, statistics.failureCount(kind)]),
    );

  it("count requests, their rows and their runs, and how long each waited and was there", async () => {
    const pool = await started();
    send(pool, [1]);
    clock.advance(3);
    send(pool, [2, 3]);
    send(pool, [4]);
    clock.advance(7);
    await instance.finish();
    clock.advance(5);
    await instance.finish();
    expect(statistics.answers).to.deep.equal({ count: 3, ms: 10 + 12 + 12 });
    expect(statistics.queueMs).to.include({ count: 3, sum: 7 + 7 });
    expect(statistics.firstResponseMs).to.include({ count: 3, sum: 34 });
    expect(statistics).to.include({ rowCount: 4, runCount: 2, lastRunMs: 15 });
    expect(statistics.failures).to.deep.equal({ count: 0, ms: 0 });
  });

  it("count several responses to a request as one request, and apart by their index", () => {
    statistics = new VersionStatistics(new ManualClock());
    const phases = (computeMs: number) => ({ inputMs: 1, computeMs, outputMs: 2 });
    statistics.answered(3, 5, phases(10), 20, 0);
    statistics.answered(3, 5, phases(30), 40, 1);
    statistics.answered(3, 5, phases(50), 60, 0);
    statistics.failed("CANCELED", 7, 1);
    statistics.failed("BACKEND", 8, 300);
    expect(statistics.answers).to.deep.equal({ count: 2, ms: 120 });
    expect(statistics.rowCount).to.equal(6);
    expect(statistics.firstResponseMs).to.include({ count: 2, sum: 80 });
    expect(statistics.computeMs.sum).to.equal(90);
    expect(statistics.failures).to.deep.equal({ count: 2, ms: 15 });
    const none = { count: 0, ms: 0 };
    expect(statistics.responses).to.deep.equal([
      { answerCount: 2, computeMs: 60, outputMs: 4, failed: none, cancelled: none },
      { answerCount: 1, computeMs: 30, outputMs: 2, failed: none, cancelled: { count: 1, ms: 7 } },
    ]);
  });

  it("give each request the phases of its run, and each size of runs those of its runs", async () => {
    const pool = await started();
    instance.phases = { inputMs: 1, computeMs: 20, outputMs: 3 };
    for (const numbers of [[1], [2, 3], [4]]) send(pool, numbers);
    await instance.finish();
    instance.phases = { inputMs: 2, computeMs: 40, outputMs: 6 };
    await instance.finish();
    const sums = [statistics.inputMs.sum, statistics.computeMs.sum, statistics.outputMs.sum];
    expect(sums).to.deep.equal([1 + 2 * 2, 20 + 2 * 40, 3 + 2 * 6]);
    expect(statistics.batchSizes).to.deep.equal([
      { rowCount: 1, runCount: 1, phases: { inputMs: 1, computeMs: 20, outputMs: 3 } },
      { rowCount: 3, runCount: 1, phases: { inputMs: 2, computeMs: 40, outputMs: 6 } },
    ]);
  });

  it("tell what was refused, what its caller left, and what the session failed", async () => {
    const pool = await started({ queue: { ...plenty, requestsMax: 2 } });
    const leave = send(pool, [1]);
    send(pool, [poison]);
    send(pool, [2], clock.now() + 50);
    send(pool, [3]);
    send(pool, Array(9).fill(4));
    await settled();
    expect(failureCounts(), "a full queue and a request of too many rows").to.include({ REJECTED: 2 });
    leave();
    await settled();
    expect(failureCounts()).to.include({ CANCELED: 1 });
    clock.advance(50);
    await settled();
    expect(failureCounts(), "a deadline that passed in the queue").to.include({ REJECTED: 3 });
    await instance.finish();
    await instance.finish();
    expect(failureCounts()).to.deep.equal({ REJECTED: 3, CANCELED: 1, BACKEND: 1, OTHER: 0 });
    expect(statistics.failures).to.deep.equal({ count: 5, ms: 50 + 50 });
    expect(statistics.runCount, "the run whose caller had left gave outputs").to.equal(1);
    expect(statistics.answers.count).to.equal(0);
  });

  it("count a caller whose deadline passes during its run as gone, and a thread that dies as a failure of the session", async () => {
    const pool = await started();
    send(pool, [1], clock.now() + 10);
    clock.advance(10);
    await settled();
    expect(failureCounts()).to.include({ CANCELED: 1, REJECTED: 0 });
    await instance.finish();
    send(pool, [2]);
    await instance.die();
    expect(failureCounts(), "it is run once more").to.include({ BACKEND: 0 });
    clock.advance(100);
    await settled();
    await instance.die();
    expect(failureCounts()).to.include({ BACKEND: 1 });
  });

  it("count what a version refuses that is being unloaded", async () => {
    const pool = await started();
    await pool.stop();
    send(pool, [1]);
    await settled();
    expect(failureCounts()).to.include({ REJECTED: 1 });
  });

  it("keep figures of 256 sizes of runs, and all runs in their totals", () => {
    const many = new VersionStatistics(new ManualClock());
    for (let rows = 1; rows <= 300; rows++) many.ran(rows, { inputMs: 0, computeMs: 1, outputMs: 0 });
    many.ran(1, { inputMs: 0, computeMs: 1, outputMs: 0 });
    expect(many.batchSizes.length).to.equal(256);
    expect(many.batchSizes[0]).to.include({ rowCount: 1, runCount: 2 });
    expect(many.runCount).to.equal(301);
  });

  it("sort values into ranges that end with their upper bounds", () => {
    const many = new VersionStatistics(new ManualClock());
    for (const rows of [1, 2, 3, 4, 5, 1024, 1025, 9999]) many.ran(rows, { inputMs: 0, computeMs: 0, outputMs: 0 });
    expect(many.runRows.bounds).to.deep.equal([1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 1024]);
    expect([...many.runRows.counts]).to.deep.equal([1, 1, 2, 1, 0, 0, 0, 0, 0, 0, 1, 2]);
  });
});
