import { expect } from "chai";
import { ServiceError } from "../../lib/errors.ts";
import { type BatchSettings, plainQueuePolicy, unbatched } from "../../services/inference/batching/batch-settings.ts";
import { InstancePool, type PoolOptions } from "../../services/inference/replicas/instance-pool.ts";
import { ManualClock } from "../manual-clock.ts";
import { plenty } from "./bounds.ts";
import { settled } from "./hand-driven-instance.ts";
import { poolOptions } from "./pool-options.ts";
import { doubled, poison, RowInstance, rowsOf, tensorOf } from "./row-instance.ts";

const eight: BatchSettings = { ...unbatched, maxBatchSize: 8, requestRowsMax: 8 };

describe("a pool that joins requests", () => {
  let clock: ManualClock;
  let instances: RowInstance[];
  /** What callers got, in the order in which they got it. */
  let outcomes: string[];

  const started = async (options: Partial<PoolOptions> = {}, create = () => new RowInstance()) => {
    clock = new ManualClock();
    instances = [];
    outcomes = [];
    const startInstance = async () => instances[instances.push(create()) - 1];
    const pool = new InstancePool({ ...poolOptions(clock, startInstance), batching: eight, ...options });
    await pool.start();
    return pool;
  };
  /** Sends numbers, one per row; the outcome is them and what became of them. */
  const send = (
    pool: InstancePool,
    numbers: readonly number[],
    priority = 0,
    deadlineMs = Number.POSITIVE_INFINITY,
  ): AbortController => {
    const caller = new AbortController();
    const input = tensorOf(
      "x",
      numbers.map((number) => [number]),
    );
    const job = { inputs: [input], outputNames: ["y"], inputBytes: input.bytes.byteLength, priority, timeoutMs: 0 };
    pool.run(job, { deadlineMs, signal: caller.signal }).then(
      ([output]) => void outcomes.push(`${numbers} → ${rowsOf(output)}`),
      (fault: ServiceError) => void outcomes.push(`${numbers} → ${fault.reason}`),
    );
    return caller;
  };

  it("answers each with its own rows", async () => {
    const pool = await started();
    for (const numbers of [[1], [2, 3], [4], [5, 6, 7]]) send(pool, numbers);
    await instances[0].finish();
    await instances[0].finish();
    expect(instances[0].runs.map(({ length }) => length)).to.deep.equal([1, 6]);
    expect(outcomes).to.deep.equal(["1 → 2", "2,3 → 4,6", "4 → 8", "5,6,7 → 10,12,14"]);
  });

  it("begins the next batch before anybody hears of the last", async () => {
    const pool = await started();
    for (const numbers of [[1], [2], [3]]) send(pool, numbers);
    let begunCount = 0;
    outcomes.push = (...told) => {
      begunCount = instances[0].runs.length;
      return Array.prototype.push.apply(outcomes, told);
    };
    await instances[0].finish();
    expect([begunCount, ...outcomes]).to.deep.equal([2, "1 → 2"]);
    await instances[0].finish();
  });

  it("runs each half of them by itself where they fail together, so that only the bad one fails, and not those that have left", async () => {
    const pool = await started();
    for (const numbers of [[1], [2], [poison]]) send(pool, numbers);
    const gone = send(pool, [3]);
    send(pool, [4]);
    await instances[0].finish();
    gone.abort(new ServiceError("CANCELLED", "gone"));
    while (instances[0].isBusy) await instances[0].finish();
    expect(instances[0].runs.map(({ length }) => length)).to.deep.equal([1, 4, 2, 1, 1, 1]);
    expect(outcomes).to.deep.equal(["1 → 2", "3 → CANCELLED", "2 → 4", "-1 → TENSOR_INVALID", "4 → 8"]);
  });

  it("runs those of a thread that dies again, one by one, so that only what kills a thread twice is answered WORKER_LOST", async () => {
    const pool = await started({ sessionThreads: [1, 1] });
    for (const numbers of [[0], [1], [2], [3]]) send(pool, numbers);
    await instances[0].finish();
    await instances[0].die();
    expect(instances[1].runs).to.deep.equal([[[1]]]);
    await instances[1].finish();
    await instances[1].die();
    clock.advance(1000);
    await settled();
    for (const instance of instances.slice(2)) while (instance.isBusy) await instance.finish();
    expect(outcomes).to.deep.equal(["0 → 0", "1 → 2", "2 → WORKER_LOST", "3 → 6"]);
    expect(instances[2].runs).to.deep.equal([[[3]]]);
  });

  it("joins no longer where none of those that failed together fails alone; no request suffers", async () => {
    const refuse = (rows: readonly (readonly number[])[]) => {
      if (rows.length > 1) throw new ServiceError("TENSOR_INVALID", "one row at a time");
      return doubled(rows);
    };
    const pool = await started({}, () => new RowInstance(refuse));
    for (const numbers of [[1], [2], [3]]) send(pool, numbers);
    while (instances[0].isBusy) await instances[0].finish();
    for (const numbers of [[4], [5], [6]]) send(pool, numbers);
    while (instances[0].isBusy) await instances[0].finish();
    expect(outcomes).to.deep.equal(["1 → 2", "2 → 4", "3 → 6", "4 → 8", "5 → 10", "6 → 12"]);
    expect(instances[0].runs.map(({ length }) => length)).to.deep.equal([1, 2, 1, 1, 1, 1, 1]);
    expect(pool.batching.maxBatchSize).to.equal(1);
  });

  it("joins no longer where the model's outputs have other rows than its inputs; no request suffers", async () => {
    const pool = await started(
      {},
      () => new RowInstance((rows) => [[rows.flat().reduce((sum, number) => sum + number)]]),
    );
    for (const numbers of [[1], [2, 3], [4, 5]]) send(pool, numbers);
    await instances[0].finish();
    for (const numbers of [[6], [7]]) send(pool, numbers);
    while (instances[0].isBusy) await instances[0].finish();
    expect(instances[0].runs.map(({ length }) => length)).to.deep.equal([1, 4, 2, 2, 1, 1]);
    expect(outcomes).to.deep.equal(["1 → 1", "2,3 → 5", "4,5 → 9", "6 → 6", "7 → 7"]);
  });

  it("does not join, nor wait for company, where the model has no rows", async () => {
    const pool = await started({ batching: { ...eight, maxQueueDelayMs: 50 } }, () => {
      const instance = new RowInstance();
      const [output] = instance.signature.outputs;
      return Object.assign(instance, { signature: { ...instance.signature, outputs: [{ ...output, shape: [1, 1] }] } });
    });
    for (let number = 0; number < 3; number++) send(pool, Array(9).fill(number));
    while (instances[0].isBusy) await instances[0].finish();
    expect(instances[0].runs.map(({ length }) => length)).to.deep.equal([9, 9, 9]);
  });

  it("keeps answers in the order of the requests of a priority where asked; a fault waits for nobody", async () => {
    const batching = {
      ...eight,
      maxBatchSize: 1,
      preserveOrdering: true,
      queuePolicies: Array(2).fill(plainQueuePolicy),
    };
    const pool = await started({ sessionThreads: [1, 1, 1, 1], batching });
    for (const [number, priority] of [
      [1, 1],
      [2, 1],
      [poison, 1],
      [3, 2],
    ])
      send(pool, [number], priority);
    for (const index of [1, 2, 3]) await instances[index].finish();
    expect(outcomes).to.deep.equal(["-1 → TENSOR_INVALID", "3 → 6"]);
    await instances[0].finish();
    expect(outcomes.slice(2)).to.deep.equal(["1 → 2", "2 → 4"]);
  });

  it("refuses what comes while too many answers are held back for an earlier one", async () => {
    const batching = { ...eight, preserveOrdering: true };
    const queue = { ...plenty, requestsMax: 2 };
    const pool = await started({ sessionThreads: [1, 1], batching, queue });
    send(pool, [1]);
    for (const number of [2, 3]) {
      send(pool, [number]);
      await instances[1].finish();
    }
    send(pool, [4]);
    await settled();
    expect(outcomes).to.deep.equal(["4 → QUEUE_FULL"]);
    await instances[0].finish();
    expect(outcomes.slice(1)).to.deep.equal(["1 → 2", "2 → 4", "3 → 6"]);
  });

  it("fails a request that goes, or is late, while its answer is held back, and holds nothing back because of it", async () => {
    const batching = { ...eight, preserveOrdering: true };
    const pool = await started({ sessionThreads: [1, 1], batching });
    send(pool, [1]);
    const gone = send(pool, [2]);
    await instances[1].finish();
    send(pool, [3], 0, 10);
    await instances[1].finish();
    send(pool, [4]);
    await instances[1].finish();
    gone.abort(new ServiceError("CANCELLED", "gone"));
    clock.advance(10);
    await settled();
    expect(outcomes).to.deep.equal(["2 → CANCELLED", "3 → DEADLINE_EXCEEDED"]);
    await instances[0].finish();
    expect(outcomes.slice(2)).to.deep.equal(["1 → 2", "4 → 8"]);
  });

  it("gives an answer that is held back although the thread that made it dies", async () => {
    const pool = await started({ sessionThreads: [1, 1], batching: { ...eight, preserveOrdering: true } });
    send(pool, [1]);
    for (const numbers of [[2], [3], [poison]]) send(pool, numbers);
    // The second runs alone; the others fail together, the third is answered, and the thread dies of the last.
    for (let run = 0; run < 3; run++) await instances[1].finish();
    await instances[1].die();
    await instances[0].finish();
    expect(outcomes).to.deep.equal(["1 → 2", "2 → 4", "3 → 6"]);
    await instances[0].die();
    expect(outcomes.at(-1)).to.equal("-1 → WORKER_LOST");
  });

  it("leaves a deadline alone that is later than its own timeout", async () => {
    const pool = await started({ defaultTimeoutMs: 20 });
    send(pool, [1], 0, 1000);
    clock.advance(500);
    await instances[0].finish();
    expect(outcomes).to.deep.equal(["1 → 2"]);
  });

  it("answers at its own timeout where the caller has no deadline, whether the request waits or runs", async () => {
    const pool = await started({ defaultTimeoutMs: 20 });
    send(pool, [1]);
    clock.advance(10);
    send(pool, [2]);
    clock.advance(10);
    await settled();
    expect(outcomes).to.deep.equal(["1 → DEADLINE_EXCEEDED"]);
    clock.advance(10);
    await settled();
    expect(outcomes).to.deep.equal(["1 → DEADLINE_EXCEEDED", "2 → DEADLINE_EXCEEDED"]);
    await instances[0].finish();
    expect(instances[0].runs.length).to.equal(1);
  });

  it("finishes at once what waits for company when it stops", async () => {
    const pool = await started({ batching: { ...eight, maxQueueDelayMs: 1000 } });
    for (const numbers of [[1], [2]]) send(pool, numbers);
    const stopped = pool.stop();
    await instances[0].finish();
    await stopped;
    expect(outcomes).to.deep.equal(["1 → 2", "2 → 4"]);
  });
});
