import { expect } from "chai";
import fc from "fast-check";
import { ServiceError } from "../../lib/errors.ts";
import { type BatchSettings, unbatched } from "../../services/inference/batching/batch-settings.ts";
import { Occupancy, type QueueBounds } from "../../services/inference/batching/occupancy.ts";
import { InstancePool } from "../../services/inference/replicas/instance-pool.ts";
import { ManualClock } from "../manual-clock.ts";
import { settled } from "./hand-driven-instance.ts";
import { poolOptions } from "./pool-options.ts";
import { doubled, poison, RowInstance, rowsOf, tensorOf } from "./row-instance.ts";

const scheduleCount = 1000;

const policies = fc.record({
  timeoutAction: fc.constantFrom("REJECT" as const, "DELAY" as const),
  defaultTimeoutMs: fc.constantFrom(0, 0, 30),
  allowTimeoutOverride: fc.boolean(),
  maxQueueSize: fc.constantFrom(0, 0, 3),
});
const joining: fc.Arbitrary<BatchSettings> = fc
  .record({
    maxBatchSize: fc.integer({ min: 1, max: 9 }),
    isLargerRefused: fc.boolean(),
    preferredBatchSizes: fc.constantFrom([], [2], [1, 4]),
    maxQueueDelayMs: fc.constantFrom(0, 5, 40),
    preserveOrdering: fc.boolean(),
    queuePolicies: fc.array(policies, { minLength: 1, maxLength: 3 }),
  })
  .map(({ isLargerRefused, ...rest }) => ({
    ...rest,
    findsBatchSize: false,
    requestRowsMax: isLargerRefused ? rest.maxBatchSize : Infinity,
    defaultPriorityLevel: rest.queuePolicies.length,
  }));
/** Some of them join nothing, so that an instance may be given runs ahead. */
const settings: fc.Arbitrary<BatchSettings> = fc.oneof(
  { weight: 5, arbitrary: joining },
  { weight: 1, arbitrary: fc.boolean().map((preserveOrdering) => ({ ...unbatched, preserveOrdering })) },
);
const bounds: fc.Arbitrary<QueueBounds> = fc.record({
  requestsMax: fc.integer({ min: 1, max: 10 }),
  rowsMax: fc.integer({ min: 3, max: 25 }),
  bytesMax: fc.integer({ min: 20, max: 300 }),
});
const nodeBounds: QueueBounds = { requestsMax: 9, rowsMax: 22, bytesMax: 250 };
const request = fc.record({
  kind: fc.constant("send" as const),
  rowCount: fc.integer({ min: 1, max: 4 }),
  columnCount: fc.integer({ min: 1, max: 2 }),
  isPoisonous: fc.integer({ min: 0, max: 9 }).map((chance) => chance === 0),
  priority: fc.nat(4),
  timeoutMs: fc.constantFrom(0, 0, 10),
  deadlineInMs: fc.constantFrom(Infinity, Infinity, 50, 5),
});
const step = fc.oneof(
  { weight: 6, arbitrary: request },
  { weight: 4, arbitrary: fc.record({ kind: fc.constantFrom("finish" as const), at: fc.nat(3) }) },
  { weight: 1, arbitrary: fc.record({ kind: fc.constantFrom("leave" as const), at: fc.nat(30) }) },
  { weight: 1, arbitrary: fc.record({ kind: fc.constantFrom("die" as const), at: fc.nat(3) }) },
  { weight: 2, arbitrary: fc.record({ kind: fc.constant("advance" as const), byMs: fc.nat(30) }) },
);

/** A request that was sent. Every number in its rows is its own, so that each can be recognised in a run. */
interface Sent {
  readonly rows: readonly (readonly number[])[];
  readonly isPoisonous: boolean;
  readonly priority: number;
  readonly inputBytes: number;
  answerCount: number;
  answer?: Sent["rows"];
  fault?: string;
  leave(): void;
}

class Schedule {
  readonly clock = new ManualClock();
  readonly instances: RowInstance[] = [];
  readonly sent: Sent[] = [];
  /** Requests in the order of their answers. */
  readonly answered: Sent[] = [];
  readonly pool: InstancePool;
  readonly #nodeQueue = new Occupancy(nodeBounds);
  readonly #bounds: QueueBounds;
  /** Those that were answered before they were run. */
  readonly #left = new Set<Sent>();

  constructor(batching: BatchSettings, queue: QueueBounds, instanceCount: number) {
    this.#bounds = queue;
    const startInstance = async () => {
      const instance = new RowInstance();
      instance.takesAhead = true;
      return this.instances[this.instances.push(instance) - 1];
    };
    this.pool = new InstancePool({
      ...poolOptions(this.clock, startInstance),
      sessionThreads: Array<number>(instanceCount).fill(1),
      queue,
      nodeQueue: this.#nodeQueue,
      batching,
    });
  }

  send({
    rowCount,
    columnCount,
    isPoisonous,
    priority,
    timeoutMs,
    deadlineInMs,
  }: typeof request extends fc.Arbitrary<infer R> ? R : never) {
    const caller = new AbortController();
    const first = 100 * (this.sent.length + 1);
    const rows = Array.from({ length: rowCount }, (_, row) => [
      first + row,
      ...Array(columnCount - 1).fill(isPoisonous ? poison : first + row),
    ]);
    const input = tensorOf("x", rows);
    const inputBytes = input.bytes.byteLength;
    const leave = () => caller.abort(new ServiceError("CANCELLED", "gone"));
    const isReallyPoisonous = rows.flat().includes(poison);
    const sent: Sent = { rows, isPoisonous: isReallyPoisonous, priority, inputBytes, answerCount: 0, leave };
    this.sent.push(sent);
    const job = { inputs: [input], outputNames: ["y"], inputBytes, priority, timeoutMs };
    const limits = { deadlineMs: this.clock.now() + deadlineInMs, signal: caller.signal };
    this.pool.run(job, limits).then(
      ([output]) => {
        sent.answerCount++;
        this.answered.push(sent);
        sent.answer = rowsOf(output);
      },
      (fault: unknown) => {
        sent.answerCount++;
        sent.fault = fault instanceof ServiceError ? fault.reason : String(fault);
      },
    );
  }

  get runs() {
    return this.instances.flatMap(({ runs }) => runs);
  }

  /** Runs that an instance died of. */
  get killed() {
    return this.instances.flatMap(({ killed }) => killed);
  }

  /** What waits keeps the bounds, and what has left is not run. */
  check(): void {
    const begun = new Set(this.runs.flat().map(([number]) => number));
    const waiting = this.sent.filter(({ answerCount, rows }) => answerCount === 0 && !begun.has(rows[0][0]));
    for (const one of this.sent) {
      if (begun.has(one.rows[0][0])) expect(this.#left.has(one)).to.equal(false);
      else if (one.answerCount > 0) this.#left.add(one);
    }
    const sum = (sizes: readonly number[]) => sizes.reduce((total, size) => total + size, 0);
    expect(waiting.length).to.be.at.most(this.#bounds.requestsMax);
    expect(sum(waiting.map(({ rows }) => rows.length))).to.be.at.most(this.#bounds.rowsMax);
    expect(sum(waiting.map(({ inputBytes }) => inputBytes))).to.be.at.most(this.#bounds.bytesMax);
  }

  async end(): Promise<void> {
    let isStopped = false;
    const stopped = this.pool.stop().then(() => {
      isStopped = true;
    });
    while (!isStopped) {
      for (const instance of this.instances) if (instance.isBusy) await instance.finish();
      await settled();
    }
    await stopped;
    // Nothing is left in it.
    expect(this.#nodeQueue.obstacle({ rowCount: nodeBounds.rowsMax, inputBytes: nodeBounds.bytesMax })).to.equal(
      undefined,
    );
  }
}

describe("batching, over a thousand random schedules,", function () {
  this.timeout(120_000);

  it("gives every request its own rows or one fault of its own, in order where asked, and keeps every bound", async () => {
    const faults = new Set<string>();
    let joinedCount = 0;
    let aheadCount = 0;
    await fc.assert(
      fc.asyncProperty(
        settings,
        bounds,
        fc.constantFrom(1, 2),
        fc.array(step, { minLength: 20, maxLength: 80 }),
        async (batching, queue, instanceCount, steps) => {
          const schedule = new Schedule(batching, queue, instanceCount);
          await schedule.pool.start();
          for (const next of steps) {
            const { instances } = schedule;
            if (next.kind === "send") schedule.send(next);
            else if (next.kind === "advance") schedule.clock.advance(next.byMs);
            else if (next.kind === "leave") schedule.sent[next.at]?.leave();
            else if (next.kind === "die") await instances[next.at]?.die();
            else if (instances[next.at]?.isBusy) await instances[next.at].finish();
            await settled();
            schedule.check();
          }
          await schedule.end();
          schedule.check();
          checkAnswers(schedule);
          checkRuns(schedule, batching);
          if (batching.preserveOrdering) checkOrder(schedule, batching);
          for (const { fault } of schedule.sent) if (fault !== undefined) faults.add(fault);
          aheadCount += schedule.instances.reduce((sum, instance) => sum + instance.aheadCount, 0);
          joinedCount += schedule.runs.filter((rows) => requestsIn(rows).size > 1).length;
        },
      ),
      { numRuns: scheduleCount, seed: 4 },
    );
    const all = ["CANCELLED", "DEADLINE_EXCEEDED", "QUEUE_FULL", "QUEUE_TIMEOUT", "TENSOR_INVALID", "WORKER_LOST"];
    expect([...faults].sort()).to.deep.equal(all);
    expect(joinedCount).to.be.greaterThan(scheduleCount / 2);
    expect(aheadCount).to.be.greaterThan(scheduleCount / 10);
  });
});

/** Each has one outcome: its own rows, or a fault. */
function checkAnswers({ sent, answered }: Schedule): void {
  expect(sent.map(({ answerCount }) => answerCount)).to.deep.equal(sent.map(() => 1));
  for (const { rows, isPoisonous, answer, fault } of sent) {
    if (fault === undefined) expect([isPoisonous, answer]).to.deep.equal([false, doubled(rows)]);
  }
  expect(new Set(answered).size).to.equal(answered.length);
}

/**
 * Batches have equal columns and not too many rows. What is not poisoned is run once, or once more, alone, where it was lost; and
 * nothing is lost a third time.
 */
function checkRuns({ runs, killed, sent }: Schedule, { maxBatchSize, requestRowsMax }: BatchSettings): void {
  for (const rows of runs) {
    expect(new Set(rows.map((row) => row.length)).size).to.equal(1);
    expect(rows.length).to.be.at.most(requestsIn(rows).size > 1 ? maxBatchSize : requestRowsMax);
  }
  const ended = runs.filter((rows) => !killed.includes(rows));
  const clean = ended.filter((rows) => !rows.flat().includes(poison)).flatMap((rows) => [...requestsIn(rows)]);
  expect(new Set(clean).size).to.equal(clean.length);
  for (const index of sent.keys()) {
    const sizes = killed.map(requestsIn).flatMap((requests) => (requests.has(index) ? [requests.size] : []));
    expect(sizes.length).to.be.at.most(2);
    if (sizes.length === 2) expect(sizes).to.include(1);
  }
  const whole = runs.every((rows) =>
    [...requestsIn(rows)].every(
      (index) => rows.filter(([number]) => indexOf(number) === index).length === sent[index].rows.length,
    ),
  );
  expect(whole).to.equal(true);
}

/** Answers of one priority come in the order of the requests. */
function checkOrder({ sent, answered }: Schedule, { queuePolicies, defaultPriorityLevel }: BatchSettings): void {
  const levelOf = ({ priority }: Sent) =>
    priority >= 1 && priority <= queuePolicies.length ? priority : defaultPriorityLevel;
  for (const level of queuePolicies.keys()) {
    const places = answered.filter((one) => levelOf(one) === level + 1).map((one) => sent.indexOf(one));
    expect(places).to.deep.equal([...places].sort((a, b) => a - b));
  }
}

/** Which requests the rows of a run belong to. */
function requestsIn(rows: readonly (readonly number[])[]): ReadonlySet<number> {
  return new Set(rows.map(([number]) => indexOf(number)));
}

function indexOf(number: number): number {
  return Math.floor(number / 100) - 1;
}
