import { once } from "node:events";
import { expect } from "chai";
import { Settings } from "../../lib/env.ts";
import type { Running } from "../../services/trainer/queue/job-attempt.ts";
import { redisOptionsOf } from "../../services/trainer/queue/redis-address.ts";
import { RedisCluster } from "../redis-cluster.ts";
import { RedisSentinel } from "../redis-sentinel.ts";
import { RunningQueue } from "./running-queue.ts";

describe("the Redis of jobs", function () {
  this.timeout(60_000);

  const done = async () => ({});
  const untilStopped = async ({ signal }: Running): Promise<never> => {
    if (!signal.aborted) await once(signal, "abort");
    throw signal.reason;
  };

  it("may be a Cluster: jobs are queued, watched, paused, resumed and run there", async () => {
    const cluster = new RedisCluster();
    await cluster.start();
    const running = new RunningQueue(cluster.url);
    try {
      await running.start();
      const jobs = [
        await running.submit(),
        await running.submit({}, 5),
        await running.submit({ device: "DEVICE_CPU" }),
      ];
      const worker = await running.startWorker(untilStopped);
      await running.reaches(jobs[1]!.id, "RUNNING");
      await running.store.move(jobs[1]!.id, ["RUNNING"], "PAUSED");
      await running.reaches(jobs[0]!.id, "RUNNING");
      await worker.stop();
      await running.startWorker(done);
      for (const { id } of [jobs[0]!, jobs[2]!]) await running.reaches(id, "SUCCEEDED");
      await running.store.move(jobs[1]!.id, ["PAUSED"], "PENDING");
      await running.queue.add(jobs[1]!);
      expect(await running.reaches(jobs[1]!.id, "SUCCEEDED")).to.include({ attempts: 2 });
    } finally {
      await running.stop();
      await cluster.stop();
    }
  });

  it("may be one that Sentinels name: jobs outlive its master, and go on with the one that takes its place", async () => {
    const sentinel = new RedisSentinel();
    await sentinel.start();
    const running = new RunningQueue(sentinel.url);
    try {
      await running.start();
      const [first, second] = [await running.submit(), await running.submit()];
      await running.startWorker(async (attempt) => (attempt.job.attempts === 1 ? untilStopped(attempt) : {}));
      await running.reaches(first.id, "RUNNING");
      await sentinel.killMaster();
      const back = async (): Promise<boolean> =>
        running.store.move(first.id, ["PENDING", "RUNNING"], "CANCELLED").catch(async (failure) => {
          expect(failure).to.include({ reason: "SERVICE_UNAVAILABLE" });
          await new Promise((resolve) => setTimeout(resolve, 50));
          return back();
        });
      await back();
      await running.reaches(second.id, "RUNNING");
      expect(await running.store.get(first.id)).to.include({ state: "CANCELLED" });
      const third = await running.submit();
      for (const { id } of [second, third]) await running.store.move(id, ["PENDING", "RUNNING"], "CANCELLED");
    } finally {
      await running.stop();
      await sentinel.stop();
    }
  });

  describe("is named by a URL", () => {
    for (const [url, options] of [
      ["redis://example", { host: "example", port: 6379, db: 0 }],
      ["redis://:pa%2Fss@[::1]:7000/3", { host: "::1", port: 7000, db: 3, password: "pa/ss" }],
      ["rediss://u:p@example", { host: "example", port: 6379, db: 0, username: "u", password: "p", tls: {} }],
      ["unix:///run/redis.sock", { path: "/run/redis.sock" }],
      ["redis+sentinel://a:1,b/main", { name: "main", sentinels: [at("a", 1), at("b", 26_379)] }],
      ["redis+sentinel://:p@a/main", { name: "main", sentinels: [at("a", 26_379)], password: "p" }],
    ] as const) {
      it(url, () => {
        expect(redisOptionsOf(url)).to.deep.equal(options);
        expect(new Settings({ URL: url }).redisServiceUrl("URL", "")).to.equal(url);
      });
    }

    it("and refused where Sentinels have no master", () => {
      const read = () => new Settings({ URL: "redis+sentinel://a:1,b" }).redisServiceUrl("URL", "");
      expect(read).to.throw('URL: seen "redis+sentinel://a:1,b", needed redis+sentinel://');
    });
  });
});

function at(host: string, port: number) {
  return { host, port };
}
