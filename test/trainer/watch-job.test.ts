import { setImmediate as turn } from "node:timers/promises";
import { expect } from "chai";
import { systemClock } from "../../lib/clock.ts";
import { ServiceError } from "../../lib/errors.ts";
import type { JobEvent__Output } from "../../lib/gen/amaas/trainer/v1/JobEvent.ts";
import { decodeMessage } from "../../lib/rpc/protos.ts";
import { type FeedParts, JobFeeds } from "../../services/trainer/handlers/job-feed.ts";
import { watchJob } from "../../services/trainer/handlers/watch-job.ts";
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
  device: "cpu",
} as const;

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

  const never = new AbortController().signal;
  const call = { signal: never, draining: never };
  const bounds = { watchersMax: 100, paceMs: 200, eventsMax: 256, bytesMax: 4 * 1024 ** 2 };
  const feedsOf = ({ store, changes }: Pick<FeedParts, "store" | "changes">, changed: Partial<typeof bounds> = {}) =>
    new JobFeeds({ store, changes, bounds: { ...bounds, ...changed }, clock: systemClock });
  /** The numbers of the events that a watcher gets. */
  async function* watch(id: string, after: number, feeds = feedsOf(running), by = call) {
    for await (const { bytes } of watchJob(feeds, id, after, by)) {
      for (const message of messagesIn(bytes)) {
        yield decodeMessage<JobEvent__Output>("trainer", "amaas.trainer.v1.JobEvent", message).sequence;
      }
    }
  }
  const allOf = async (watching: AsyncIterable<number>) => {
    const seen: number[] = [];
    for await (const sequence of watching) seen.push(sequence);
    return seen;
  };
  /** The same store, and how often events are read from it. */
  const countedReads = () => {
    const { store, changes } = running;
    const counted = { readCount: 0, changes, store };
    counted.store = Object.assign(Object.create(store), {
      standing: (id: string) => store.standing(id),
      eventsAfter: (...asked: Parameters<typeof store.eventsAfter>) => {
        counted.readCount++;
        return store.eventsAfter(...asked);
      },
    });
    return counted;
  };
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
      for await (const sequence of watch(attempt.id, seen.at(-1) ?? 0)) {
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
    const counted = countedReads();
    const feeds = feedsOf(counted);
    const watchers = Array.from({ length: 50 }, () => allOf(watch(attempt.id, 0, feeds)));
    for (let step = 1; step <= 20; step++) await running.store.progress(attempt, progress(step));
    await running.store.move(attempt.id, ["RUNNING"], "SUCCEEDED");
    for (const seen of await Promise.all(watchers)) expect(seen).to.deep.equal(sequences(23, 1));
    expect(counted.readCount).to.be.at.most(3 * 23);
  });

  it("gives one who reads slowly every event from the store, and keeps no more for it than for others", async () => {
    await running.stop();
    running = new RunningQueue(server.url);
    await running.start({ ...queueConfig, eventsMax: 1000 });
    const attempt = await begin();
    const feeds = feedsOf(running);
    const slow = watch(attempt.id, 0, feeds);
    const first = await slow.next();
    const fast = allOf(watch(attempt.id, 0, feeds));
    for (let step = 1; step <= 700; step++) await running.store.progress(attempt, progress(step));
    await running.store.move(attempt.id, ["RUNNING"], "SUCCEEDED");
    expect(await fast).to.deep.equal(sequences(703, 1));
    const feed = feeds.enter(attempt.id);
    expect(feed.after(1), "what is kept of the events behind the first").to.equal(undefined);
    expect(feed.after(703 - 256)![0]).to.include({ first: 703 - 255, isEnd: true });
    feeds.leave(feed);
    expect([first.value, ...(await allOf(slow))]).to.deep.equal(sequences(703, 1));
  });

  it("begins anew for those who come after the last of those before has gone", async () => {
    const attempt = await begin();
    const feeds = feedsOf(running);
    for (let time = 0; time < 3; time++) {
      const left = watch(attempt.id, 0, feeds);
      await left.next();
      await left.return(undefined);
      await running.store.progress(attempt, progress(time));
    }
    await running.store.move(attempt.id, ["RUNNING"], "SUCCEEDED");
    expect(await allOf(watch(attempt.id, 2, feeds))).to.deep.equal(sequences(4, 3));
  });

  it("ends for one who waits when its server drains, and goes on for others", async () => {
    const attempt = await begin();
    const feeds = feedsOf(running);
    const draining = new AbortController();
    const other = allOf(watch(attempt.id, 0, feeds));
    const waiting = watch(attempt.id, 2, feeds, { signal: never, draining: draining.signal });
    const next = waiting.next();
    draining.abort(new ServiceError("DRAINING", "the server is shutting down"));
    expect(await failureOf(next)).to.include({ reason: "DRAINING" });
    await running.store.move(attempt.id, ["RUNNING"], "SUCCEEDED");
    expect(await other).to.deep.equal(sequences(3, 1));
  });

  it("is refused where as many watch as may, until one of them leaves", async () => {
    const attempt = await begin();
    const feeds = feedsOf(running, { watchersMax: 2 });
    const [one, other] = [watch(attempt.id, 0, feeds), watch(attempt.id, 0, feeds)];
    await Promise.all([one.next(), other.next()]);
    const refused = await failureOf(watch(attempt.id, 0, feeds).next());
    expect(refused).to.include({ reason: "QUEUE_FULL" });
    expect(refused.message).to.equal("2 calls watch jobs here; needed: less than AMAAS_TRAINER_WATCHERS_MAX");
    await one.return(undefined);
    await running.store.move(attempt.id, ["RUNNING"], "SUCCEEDED");
    expect(await allOf(watch(attempt.id, 0, feeds))).to.deep.equal(sequences(3, 1));
    await other.return(undefined);
  });

  it("leaves nothing behind that its job would have to wake when whoever waits has gone", async () => {
    const waiting = new Set<() => void>();
    const feed = {
      ...{ started: Promise.resolve(), isOver: false, failure: undefined, after: () => [] },
      onNext: (wake: () => void) => {
        waiting.add(wake);
        return () => waiting.delete(wake);
      },
    };
    const feeds = { enter: () => feed, leave: () => undefined } as unknown as JobFeeds;
    const gone = new AbortController();
    const next = watchJob(feeds, "job", 0, { signal: gone.signal, draining: never }).next();
    while (waiting.size === 0) await turn();
    gone.abort(new ServiceError("CANCELLED", "the caller has gone"));
    expect(await failureOf(next)).to.include({ reason: "CANCELLED" });
    expect(waiting.size).to.equal(0);
  });

  it("tells all who watch what the store has failed with, and serves those who come again", async () => {
    const attempt = await begin();
    const counted = countedReads();
    const feeds = feedsOf(counted);
    const watchers = Array.from({ length: 3 }, () => allOf(watch(attempt.id, 0, feeds)));
    const { store } = counted;
    counted.store.eventsAfter = () => Promise.reject(new ServiceError("SERVICE_UNAVAILABLE", "gone"));
    for (const watcher of watchers) expect(await failureOf(watcher)).to.include({ reason: "SERVICE_UNAVAILABLE" });
    store.eventsAfter = running.store.eventsAfter.bind(running.store);
    await running.store.move(attempt.id, ["RUNNING"], "SUCCEEDED");
    expect(await allOf(watch(attempt.id, 0, feeds))).to.deep.equal(sequences(3, 1));
    expect(await failureOf(allOf(watch("none", 0, feeds)))).to.include({ reason: "JOB_NOT_FOUND" });
  });

  it("is told where to go on, rather than left with a gap, where the next event is no longer kept", async () => {
    const attempt = await begin();
    for (let step = 1; step <= 600; step++) await running.store.progress(attempt, progress(step));
    await running.store.move(attempt.id, ["RUNNING"], "SUCCEEDED");
    const failure = await failureOf(watch(attempt.id, 5).next());
    expect(failure).to.include({ reason: "EVENTS_TRIMMED", status: "OUT_OF_RANGE" });
    const oldest = Number(failure.metadata.oldest_sequence);
    expect(failure.message).to.contain(`needed: 0, or at least ${oldest - 1}`);
    for (const after of [0, oldest - 1]) {
      expect(await allOf(watch(attempt.id, after))).to.deep.equal(sequences(603 - oldest + 1, oldest));
    }
  });
});

/** The messages that are framed one behind the other. */
function* messagesIn(frames: Buffer) {
  for (let begin = 0; begin < frames.length; ) {
    const end = begin + 5 + frames.readUInt32BE(begin + 1);
    yield frames.subarray(begin + 5, end);
    begin = end;
  }
}

function failureOf(outcome: Promise<unknown>) {
  return outcome.then(
    () => expect.fail("nothing failed"),
    (thrown) => thrown,
  );
}
