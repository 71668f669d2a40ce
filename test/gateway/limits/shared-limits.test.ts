import { setTimeout as sleep } from "node:timers/promises";
import { expect } from "chai";
import { systemClock } from "../../../lib/clock.ts";
import { createLog, type Log } from "../../../lib/log.ts";
import { Limits } from "../../../services/gateway/limits/limits.ts";
import { RedisShareStore } from "../../../services/gateway/limits/redis-share-store.ts";
import { SharedLimits } from "../../../services/gateway/limits/shared-limits.ts";
import type { ModelRoute } from "../../../services/gateway/route-facts.ts";
import { ManualClock } from "../../manual-clock.ts";
import { PrivateRedis } from "../../private-redis.ts";
import { RedisCluster } from "../../redis-cluster.ts";
import { eventually } from "../harness.ts";
import { limitedModel } from "./limited-model.ts";

const leaseMs = 2000;

/** The limits of one gateway. */
interface Gateway {
  readonly limits: Limits;
  readonly store: RedisShareStore;
  readonly shared: SharedLimits;
}

describe("limits that gateways share", () => {
  const redis = new PrivateRedis();
  const gateways: Gateway[] = [];

  before(() => redis.start());
  after(() => redis.stop());
  afterEach(async () => {
    for (const { store } of gateways.splice(0)) store.close();
  });

  /** So many more of them, which see each other's calls. */
  const start = async (count: number, timeoutMs = 2000, url = redis.url): Promise<readonly Gateway[]> => {
    const begun = Array.from({ length: count }, () => {
      const store = new RedisShareStore(
        { redisUrl: url, redisTimeoutMs: timeoutMs, leaseMs },
        systemClock,
        createLog("test", "silent"),
      );
      const shared = new SharedLimits(store, systemClock);
      store.start();
      return { store, shared, limits: new Limits({ principalsMax: 100, shared, clock: systemClock }) };
    });
    gateways.push(...begun);
    for (const { store } of begun) await eventually(() => expect(store.isReachable).to.equal(true));
    return begun;
  };
  const admit = async ({ limits }: Gateway, model: ModelRoute, bytes = 10) => {
    const attempt = await limits.attempt({ headers: {}, message: Buffer.alloc(bytes), model }, true);
    return attempt.kind === "admitted" ? attempt : undefined;
  };
  /** Asks for more than is there, at every gateway, for so long; answers how much each was given, and how long it took. */
  const flood = async (floods: readonly Gateway[], model: ModelRoute, ms: number, bytes = 10) => {
    const beginMs = performance.now();
    const given = await Promise.all(
      floods.map(async (gateway) => {
        let count = 0;
        while (performance.now() - beginMs < ms) {
          const asked = Array.from({ length: 50 }, () => admit(gateway, model, bytes));
          for (const admission of await Promise.all(asked)) {
            if (admission === undefined) continue;
            admission.release();
            count++;
          }
          await sleep(1);
        }
        return count;
      }),
    );
    return { given, seconds: (performance.now() - beginMs) / 1000 };
  };
  const sumOf = (numbers: readonly number[]) => numbers.reduce((sum, number) => sum + number, 0);

  it("give no more than rate · t + burst, and a fiftieth of a second's for each gateway", async () => {
    const rate = 1000;
    const { given, seconds } = await flood(
      await start(3),
      { ...limitedModel({}, { requestsPerSecond: rate }), model: "a" },
      1000,
    );
    const allowed = rate * seconds + rate;
    expect(sumOf(given)).to.be.at.most(allowed + (3 * rate) / 50);
    expect(sumOf(given)).to.be.at.least(rate);
    for (const count of given) expect(count).to.be.above(0);
  });

  it("are exact where requests are few, or large", async () => {
    const model = { ...limitedModel({ requestsPerSecond: 3 }, { bytesPerSecond: 5000 }), model: "b" };
    const { given, seconds } = await flood(await start(2), model, 700, 1000);
    expect(sumOf(given)).to.be.at.most(3 * seconds + 3);
    expect(sumOf(given)).to.be.at.least(3);
  });

  it("are given to one gateway alone where it is the only one that asks", async () => {
    const [first, second] = (await start(2)) as [Gateway, Gateway];
    const model = { ...limitedModel({}, { requestsPerSecond: 20 }), model: "c" };
    const { given, seconds } = await flood([first], model, 300);
    expect(sumOf(given)).to.be.within(20, 20 * seconds + 20);
    const later = await flood([second], model, 200);
    expect(sumOf([...given, ...later.given])).to.be.at.most(20 * (seconds + later.seconds) + 20);
  });

  it("never let more requests run at the same time than are allowed, and all that are allowed", async () => {
    const pair = await start(2);
    const model = { ...limitedModel({}, { concurrentRequests: 5 }), model: "d" };
    let running = 0;
    let most = 0;
    const work = async (gateway: Gateway) => {
      for (let count = 0; count < 100; count++) {
        const admission = await admit(gateway, model);
        if (admission === undefined) {
          await sleep(2);
          continue;
        }
        most = Math.max(most, ++running);
        await sleep(Math.random() * 4);
        running--;
        admission.release();
      }
    };
    await Promise.all([...pair, ...pair, ...pair, ...pair].map(work));
    expect(most).to.equal(5);
    // What one gateway no longer uses the other one gets.
    await eventually(async () => {
      const admissions = await Promise.all(Array.from({ length: 5 }, () => admit(pair[0]!, model)));
      for (const admission of admissions) admission?.release();
      expect(admissions).not.to.include(undefined);
    });
  });

  it("get back the slots of a gateway that has died, not before its lease has ended", async () => {
    const [first, second] = (await start(2)) as [Gateway, Gateway];
    const model = { ...limitedModel({}, { concurrentRequests: 2 }), model: "e" };
    expect(await admit(first, model)).not.to.equal(undefined);
    expect(await admit(first, model)).not.to.equal(undefined);
    // It renews the lease as long as it lives.
    await sleep(leaseMs + 200);
    expect(await admit(second, model)).to.equal(undefined);
    first.store.close();
    expect(await admit(second, model)).to.equal(undefined);
    const beginMs = performance.now();
    await eventually(async () => expect(await admit(second, model)).not.to.equal(undefined));
    expect(performance.now() - beginMs).to.be.below(leaseMs + 500);
  });

  it("get back at once what a gateway holds that gives back all in its end", async () => {
    const model = { ...limitedModel({}, { concurrentRequests: 2, requestsPerSecond: 1000 }), model: "left" };
    const [first, second] = await start(2);
    const admissions = [await admit(first!, model), await admit(first!, model)];
    for (const admission of admissions) admission!.release();
    await first!.shared.release();
    first!.store.close();
    const later = [await admit(second!, model), await admit(second!, model)];
    expect(later.filter((admission) => admission !== undefined)).to.have.length(2);
  });

  it("fail no call when the Redis dies under load, and are shared again when it is back", async () => {
    const pair = await start(2);
    const model = { ...limitedModel({ requestsPerSecond: 1e6 }, { concurrentRequests: 1000 }), model: "f" };
    let isDone = false;
    let count = 0;
    const work = async (gateway: Gateway) => {
      while (!isDone) {
        const admission = await admit(gateway, model);
        expect(admission).not.to.equal(undefined);
        await sleep(Math.random() * 2);
        admission!.release();
        count++;
      }
    };
    const load = Promise.all([...pair, ...pair, ...pair, ...pair].map(work));
    const further = async () => {
      const before = count;
      await eventually(() => expect(count).to.be.above(before + 200));
    };
    await further();
    await redis.kill();
    await eventually(() => expect(pair.map(({ store }) => store.isReachable)).to.deep.equal([false, false]));
    await further();
    await redis.resume();
    await eventually(() => expect(pair.map(({ store }) => store.isReachable)).to.deep.equal([true, true]));
    await further();
    isDone = true;
    await load;
    expect(pair.map(({ store }) => store.lossCount)).to.deep.equal([1, 1]);
    const tight = { ...limitedModel({}, { requestsPerSecond: 2 }), model: "f" };
    const { given, seconds } = await flood(pair, tight, 200);
    expect(sumOf(given)).to.be.at.most(2 * seconds + 2);
  });

  it("wait no longer than they may for a Redis that hangs, once", async () => {
    const [gateway] = (await start(1, 50)) as [Gateway];
    const model = { ...limitedModel({}, { requestsPerSecond: 10 }), model: "g" };
    redis.pause();
    try {
      const beginMs = performance.now();
      for (let count = 0; count < 10; count++) expect(await admit(gateway, model)).not.to.equal(undefined);
      expect(performance.now() - beginMs).to.be.within(40, 500);
      // Its own limits hold.
      expect(await admit(gateway, model)).to.equal(undefined);
      expect(gateway.store.isReachable).to.equal(false);
    } finally {
      redis.proceed();
    }
    await eventually(() => expect(gateway.store.isReachable).to.equal(true));
  });

  it("leave a connection that is lost once, however often a Redis that is gone is looked for", async () => {
    const clock = new ManualClock();
    let looks = 0;
    const log = { ...createLog("test", "silent"), warn: () => undefined, info: () => undefined, debug: () => looks++ };
    const config = { redisUrl: redis.url, redisTimeoutMs: 2000, leaseMs };
    const store = new RedisShareStore(config, clock, log as unknown as Log);
    const warnings: Error[] = [];
    const onWarning = (warning: Error) => warnings.push(warning);
    process.on("warning", onWarning);
    try {
      store.start();
      await eventually(() => expect(store.isReachable).to.equal(true));
      await redis.kill();
      await eventually(() => expect(store.isReachable).to.equal(false));
      for (let count = 1; count <= 12; count++) {
        clock.advance(10_000);
        await eventually(() => expect(looks).to.equal(count));
      }
      expect(warnings).to.deep.equal([]);
    } finally {
      process.off("warning", onWarning);
      store.close();
      await redis.resume();
    }
  });

  it("are kept in a Redis Cluster as well, each model where its key belongs", async () => {
    const cluster = new RedisCluster();
    await cluster.start();
    try {
      const pair = await start(2, 2000, cluster.url);
      const models = ["one", "two", "three", "four", "five", "six"].map((model) => {
        return { ...limitedModel({ concurrentRequests: 5 }, { requestsPerSecond: 2 }), model };
      });
      for (const model of models) {
        const { given, seconds } = await flood(pair, model, 50);
        expect(sumOf(given)).to.be.within(2, 2 * seconds + 2);
      }
      expect(pair.map(({ store }) => store.lossCount)).to.deep.equal([0, 0]);
    } finally {
      await cluster.stop();
    }
  });
});
