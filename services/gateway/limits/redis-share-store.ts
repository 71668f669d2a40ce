import { randomUUID } from "node:crypto";
import type { Clock } from "../../../lib/clock.ts";
import { messageOf } from "../../../lib/errors.ts";
import type { Log } from "../../../lib/log.ts";
import { burstOf, type Cost, rateOf, units } from "./cost.ts";
import { openRedis, type RedisConnection, type RedisConnectionConfig } from "./redis-connection.ts";
import type { ShareGrant, ShareRequest } from "./share.ts";
import type { ShareStore } from "./shared-limits.ts";

/** Where the Redis is, and how it is used: a request waits for it as long as a command, at most. */
export interface RedisShareConfig extends RedisConnectionConfig {
  /** How long a gateway that is gone keeps its slots, in milliseconds; one that is there renews them every second. */
  readonly leaseMs: number;
}

/**
 * What gateways share, in Redis. No request waits for one that is down: the first that hears nothing in time is the last that asks, until a
 * look in the background finds it again.
 */
export class RedisShareStore implements ShareStore {
  readonly #config: RedisShareConfig;
  readonly #clock: Clock;
  readonly #log: Log;
  /** Its leases are those of this life. */
  readonly #gateway = randomUUID();
  /** That answers, or did until a moment ago. */
  #redis: RedisConnection | undefined;
  #isReachable = false;
  #lossCount = 0;
  #isClosed = false;
  #foundAtMs = -Infinity;
  /** How long until the next look. */
  #delayMs = delayMsMin;
  #cancelLook: (() => void) | undefined;

  constructor(config: RedisShareConfig, clock: Clock, log: Log) {
    this.#config = config;
    this.#clock = clock;
    this.#log = log;
  }

  get isReachable(): boolean {
    return this.#isReachable;
  }

  get lossCount(): number {
    return this.#lossCount;
  }

  /** Connects in the background; as often as it takes. */
  start(): void {
    void this.#look();
  }

  readonly ask = async (request: ShareRequest): Promise<ShareGrant | undefined> => {
    const redis = this.#redis;
    if (redis === undefined || !this.#isReachable) return undefined;
    try {
      return grantOf(request, await redis.moveShare(keyPrefix + request.account, ...this.#valuesOf(request)));
    } catch (failure) {
      this.#lose(redis, failure);
      return undefined;
    }
  };

  close(): void {
    this.#isClosed = true;
    this.#isReachable = false;
    this.#cancelLook?.();
    this.#redis?.disconnect();
  }

  #valuesOf({ limits, wanted, running, slots }: Omit<ShareRequest, "account">): (string | number)[] {
    const rates = limitedUnits(limits).flatMap((unit) => {
      const rate = limits[rateOf[unit]];
      return [unit, rate, burstOf(rate), wanted[unit]];
    });
    return [this.#gateway, this.#config.leaseMs, limits.concurrentRequests, running, slots, ...rates];
  }

  #lose(redis: RedisConnection | undefined, failure: unknown): void {
    if (!this.#isReachable || redis !== this.#redis) return;
    this.#isReachable = false;
    this.#lossCount++;
    // One that comes and goes would otherwise have requests wait for it again and again.
    const isSteady = this.#clock.monotonicMs() - this.#foundAtMs > delayMsMax;
    this.#delayMs = isSteady ? delayMsMin : Math.min(2 * this.#delayMs, delayMsMax);
    this.#log.warn({ error: messageOf(failure) }, "redis does not answer: each gateway holds the limits by itself");
    this.#lookLater();
  }

  /** Whether it answers, on a new connection: what was asked on the old one is not waited for any longer. */
  async #look(): Promise<void> {
    this.#redis?.disconnect();
    this.#redis = undefined;
    let redis: RedisConnection | undefined;
    try {
      redis = await openRedis(this.#config, (failure) => this.#lose(redis, failure));
      // It may answer, and take nothing: a replica, or one without memory.
      await redis.moveShare(`${keyPrefix}{}`, ...this.#valuesOf(nothing));
    } catch (failure) {
      redis?.disconnect();
      this.#log.debug({ error: messageOf(failure) }, "redis still does not answer");
      if (!this.#isClosed) this.#lookLater();
      return;
    }
    if (this.#isClosed) return redis.disconnect();
    this.#redis = redis;
    this.#isReachable = true;
    this.#foundAtMs = this.#clock.monotonicMs();
    this.#log.info({}, "limits are shared through redis");
  }

  #lookLater(): void {
    this.#cancelLook = this.#clock.after(this.#delayMs, () => void this.#look());
  }
}

function grantOf({ limits }: ShareRequest, [slots, ...given]: readonly string[]): ShareGrant {
  const granted: Record<keyof Cost, number> = { requests: 0, rows: 0, bytes: 0 };
  for (const [index, unit] of limitedUnits(limits).entries()) granted[unit] = Number(given[index]);
  return { granted, slots: Number(slots) };
}

function limitedUnits(limits: ShareRequest["limits"]) {
  return units.filter((unit) => limits[rateOf[unit]] > 0);
}

const nothing: Omit<ShareRequest, "account"> = {
  limits: { requestsPerSecond: 0, concurrentRequests: 0, rowsPerSecond: 0, bytesPerSecond: 0 },
  wanted: { requests: 0, rows: 0, bytes: 0 },
  running: 0,
  slots: 0,
};
const keyPrefix = "amaas-limits:";
const delayMsMin = 250;
const delayMsMax = 10_000;
