import { expect } from "chai";
import { createLog } from "../../lib/log.ts";
import type { CallContext } from "../../lib/rpc/call-context.ts";
import { watchJob } from "../../services/trainer/handlers/watch-job.ts";
import { SharedReads } from "../../services/trainer/queue/shared-reads.ts";
import { PrivateRedis } from "../private-redis.ts";
import { queueConfig, RunningQueue } from "./running-queue.ts";

const someProgress = {
  epoch: 1,
  epochs: 1,
  steps: 1000,
  trainingLoss: 1,
  samplesPerSecond: 1,
  learningRate: 1,
  etaSeconds: 1,
  waitedShare: 0,
};

describe("watching a job", () => {
  const server = new PrivateRedis();
  let running: RunningQueue;

  before(() => server.start());
  after(() => server.stop());
  beforeEach(async () => {
    running = new RunningQueue(server.url);
    await running.start({ ...queueConfig, eventsMax: 200 });
  });
  afterEach(() => running.stop());

  const reads = new SharedReads();
  const never = new AbortController().signal;
  const call = { signal: never, draining: never, log: createLog("test", "silent") } as unknown as CallContext;
  const watch = (id: string, after: number) =>
    watchJob({ store: running.store, changes: running.changes, reads }, id, after, call);
  const begin = async () => {
    const { id } = await running.submit();
    await running.store.move(id, ["PENDING"], "RUNNING", { attempts: 1 });
    return { id, attempts: 1 };
  };
  const progress = (step: number) => ({ ...someProgress, step });
  const sequences = (count: number, from: number) => Array.from({ length: count }, (_, i) => from + i);

  it("has every event once and in order, however often it breaks off and goes on, while the job goes on", async () => {
    const attempt = await begin();
    const seen: number[] = [];
    const work = (async () => {
      for (let step = 1; step <= 100; step++) {
        await running.store.progress(attempt, progress(step));
        if (step % 10 === 0) await running.store.tell(attempt, { level: "info", text: `step ${step}` });
      }
      await running.store.move(attempt.id, ["RUNNING"], "SUCCEEDED");
    })();
    let isOver = false;
    while (!isOver) {
      isOver = true;
      let left = 7;
      for await (const { sequence } of watch(attempt.id, seen.at(-1) ?? 0)) {
        seen.push(sequence);
        isOver = --left > 0;
        if (!isOver) break;
      }
    }
    await work;
    expect(seen).to.deep.equal(sequences(2 + 100 + 10 + 1, 1));
  });

  it("costs the store the same for many who watch as for one", async () => {
    const attempt = await begin();
    let readCount = 0;
    const { store } = running;
    const counting = Object.assign(Object.create(store), {
      standing: (id: string) => store.standing(id),
      eventsAfter: (...asked: Parameters<typeof store.eventsAfter>) => {
        readCount++;
        return store.eventsAfter(...asked);
      },
    });
    const watchers = Array.from({ length: 50 }, async () => {
      const seen: number[] = [];
      const parts = { store: counting, changes: running.changes, reads };
      for await (const { sequence } of watchJob(parts, attempt.id, 0, call)) seen.push(sequence);
      return seen;
    });
    for (let step = 1; step <= 20; step++) await store.progress(attempt, progress(step));
    await store.move(attempt.id, ["RUNNING"], "SUCCEEDED");
    for (const seen of await Promise.all(watchers)) expect(seen).to.deep.equal(sequences(23, 1));
    expect(readCount).to.be.at.most(3 * 23);
  });

  it("is told where to go on, rather than left with a gap, where the next event is no longer kept", async () => {
    const attempt = await begin();
    for (let step = 1; step <= 600; step++) await running.store.progress(attempt, progress(step));
    await running.store.move(attempt.id, ["RUNNING"], "SUCCEEDED");
    const failure = await watch(attempt.id, 5)
      .next()
      .then(
        () => expect.fail("an event came"),
        (thrown) => thrown,
      );
    expect(failure).to.include({ reason: "EVENTS_TRIMMED", status: "OUT_OF_RANGE" });
    const oldest = Number(failure.metadata.oldest_sequence);
    expect(failure.message).to.contain(`needed: 0, or at least ${oldest - 1}`);
    for (const after of [0, oldest - 1]) {
      const seen: number[] = [];
      for await (const { sequence } of watch(attempt.id, after)) seen.push(sequence);
      expect(seen).to.deep.equal(sequences(603 - oldest + 1, oldest));
    }
  });
});
