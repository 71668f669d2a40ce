import { expect } from "chai";
import { systemClock } from "../../lib/clock.ts";
import type { TrainSpec__Output } from "../../lib/gen/amaas/trainer/v1/TrainSpec.ts";
import { createLog } from "../../lib/log.ts";
import { JobStore } from "../../services/trainer/queue/job-store.ts";
import { openRedis, type RedisClient } from "../../services/trainer/queue/redis.ts";
import { PrivateRedis } from "../private-redis.ts";

const config = {
  concurrency: 1,
  sweepsMax: 1,
  openJobsMax: 5,
  endedJobsMax: 3,
  eventsMax: 1000,
  attemptsMax: 1,
  retryDelayMs: 10,
  lockMs: 5000,
};
const work = { kind: "train", spec: { model: "models/a" } as TrainSpec__Output } as const;
const newJob = { work, priority: 0, requestId: "r" };
const progress = {
  ...{ epoch: 1, epochs: 2, step: 3, steps: 6, trainingLoss: 0.5 },
  ...{ learningRate: 0.1, samplesPerSecond: 10, etaSeconds: 3, waitedShare: 0, device: "cpu" as const },
};

describe("the job store", () => {
  const server = new PrivateRedis();
  let redis: RedisClient;
  let store: JobStore;

  before(() => server.start());
  after(() => server.stop());
  beforeEach(async () => {
    redis = await openRedis(server.url, "commands", createLog("test", "silent"));
    await redis.flushall();
    store = new JobStore(redis, config, systemClock);
  });
  afterEach(() => redis.disconnect());

  const reasonOf = (call: Promise<unknown>) =>
    call.then(
      () => "none",
      (failure) => failure.reason as string,
    );
  const end = async (id: string) => {
    await store.move(id, ["PENDING"], "RUNNING");
    await store.move(id, ["RUNNING"], "SUCCEEDED", {
      version: "models/a/versions/1",
      metrics: { training_loss: 0.25 },
    });
  };

  it("gives a job back as it was stored", async () => {
    const { id } = await store.create(newJob, "");
    expect(await store.get(id)).to.deep.include({ id, ...newJob, state: "PENDING", attempts: 0, attemptsInVain: 0 });
  });

  it("makes one job per request id, however often and however concurrently it is sent", async () => {
    const jobs = await Promise.all(Array.from({ length: 20 }, () => store.create(newJob, "same")));
    expect(new Set(jobs.map(({ id }) => id)).size).to.equal(1);
    expect(await store.openIds()).to.have.length(1);
  });

  it("finds the job of a request id again, of no other and of none", async () => {
    const { id } = await store.create(newJob, "same");
    await store.create(newJob, "");
    expect((await store.findRequested("same"))?.id).to.equal(id);
    expect([await store.findRequested("other"), await store.findRequested("")]).to.deep.equal([undefined, undefined]);
  });

  it("tells of a priority only where it is another one", async () => {
    const { id } = await store.create(newJob, "");
    const changed = [await store.setPriority(id, 0), await store.setPriority(id, 3), await store.setPriority(id, 3)];
    expect(changed).to.deep.equal([true, true, true]);
    expect(await store.eventsAfter(id, 0, 100)).to.have.length(2);
    await end(id);
    expect(await store.setPriority(id, 3)).to.equal(false);
  });

  it("refuses a job above the bound, and takes one again when another has ended", async () => {
    const jobs = await Promise.all(Array.from({ length: 5 }, () => store.create(newJob, "")));
    expect(await reasonOf(store.create(newJob, ""))).to.equal("QUEUE_FULL");
    await end(jobs[0].id);
    expect(await reasonOf(store.create(newJob, ""))).to.equal("none");
  });

  it("numbers events from 1 without gaps, each state with the job as it was then", async () => {
    const { id } = await store.create(newJob, "");
    await store.move(id, ["PENDING"], "RUNNING", { startTimeMs: 5 });
    await store.progress({ id, attempts: 0 }, progress);
    await store.move(id, ["RUNNING"], "FAILED", { error: { reason: "X", message: "m" } });
    const events = await store.eventsAfter(id, 0, 100);
    expect(events.map(({ sequence }) => sequence)).to.deep.equal([1, 2, 3, 4]);
    expect(
      events.map((event) =>
        event.kind === "state" ? event.job.state : event.kind === "log" ? event.line : event.progress,
      ),
    ).to.deep.equal(["PENDING", "RUNNING", progress, "FAILED"]);
    expect((await store.eventsAfter(id, 2, 1)).map(({ sequence }) => sequence)).to.deep.equal([3]);
  });

  it("never leaves a state in which a job has ended", async () => {
    const { id } = await store.create(newJob, "");
    await end(id);
    expect(await store.move(id, ["PENDING", "RUNNING"], "CANCELLED")).to.equal(false);
    expect(await store.progress({ id, attempts: 0 }, progress)).to.equal(false);
    expect((await store.get(id)).state).to.equal("SUCCEEDED");
    expect(await store.eventsAfter(id, 0, 100)).to.have.length(3);
  });

  it("lets exactly one of two racing ends win", async () => {
    const { id } = await store.create(newJob, "");
    await store.move(id, ["PENDING"], "RUNNING");
    const won = await Promise.all([
      store.move(id, ["RUNNING"], "CANCELLED"),
      store.move(id, ["RUNNING"], "REGISTERING"),
    ]);
    expect(won.filter(Boolean)).to.have.length(1);
  });

  it("lists newest first, page by page", async () => {
    const ids: string[] = [];
    for (let i = 0; i < 5; i++) {
      ids.unshift((await store.create(newJob, "")).id);
      const now = Date.now();
      while (Date.now() === now);
    }
    const first = await store.list(3, undefined);
    const second = await store.list(3, first[2].id);
    expect([...first, ...second].map(({ id }) => id)).to.deep.equal(ids);
  });

  it("forgets the jobs that ended first above the bound, however old they are, and makes a new one for a forgotten request id", async () => {
    const oldest = await store.create(newJob, "a");
    const others = await Promise.all(Array.from({ length: 3 }, (_, i) => store.create(newJob, `b${i}`)));
    for (const { id } of [...others, oldest]) {
      await end(id);
      const now = Date.now();
      while (Date.now() === now);
    }
    expect((await store.get(oldest.id)).state).to.equal("SUCCEEDED");
    expect(await reasonOf(store.get(others[0].id))).to.equal("JOB_NOT_FOUND");
    expect((await store.create(newJob, "b0")).id).not.to.equal(others[0].id);
  });

  it("forgets no open job", async () => {
    const open = await store.create(newJob, "");
    const ids: string[] = [];
    for (let i = 0; i < 4; i++) {
      const { id } = await store.create(newJob, "");
      await end(id);
      ids.push(id);
    }
    const kept = (await store.list(10, undefined)).map(({ id }) => id);
    expect(kept).to.have.length(4).and.to.include(open.id);
    expect(await Promise.all(ids.map((id) => reasonOf(store.get(id))))).to.include("JOB_NOT_FOUND");
  });

  it("keeps every acknowledged job when Redis is killed, and says UNAVAILABLE at once while it is down", async () => {
    const { id } = await store.create(newJob, "");
    await end(id);
    await server.kill();
    expect(await reasonOf(store.get(id))).to.equal("SERVICE_UNAVAILABLE");
    const ready = new Promise((resolve) => redis.once("ready", resolve));
    await server.resume();
    await ready;
    expect(await store.get(id)).to.deep.include({ state: "SUCCEEDED", metrics: { training_loss: 0.25 } });
  });
});
