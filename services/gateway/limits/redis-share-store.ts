import { randomUUID } from "node:crypto";
import { Redis, type RedisOptions } from "ioredis";
import type { Clock } from "../../../lib/clock.ts";
import { messageOf } from "../../../lib/errors.ts";
import type { Log } from "../../../lib/log.ts";
import { burstOf, type Cost, rateOf, units } from "./cost.ts";
import type { ShareGrant, ShareRequest } from "./share.ts";
import { shareScript } from "./share-script.ts";
import type { ShareStore } from "./shared-limits.ts";

/** Where the Redis is, and how it is used. */
export interface RedisShareConfig {
  readonly redisUrl: string;
  /** How long a request waits for it at most, in milliseconds. */
  readonly redisTimeoutMs: number;
  /** How long a gateway that is gone keeps its slots, in milliseconds; one that is there renews them every second. */
  readonly leaseMs: number;
}

interface ScriptedRedis extends Redis {
  moveShare(key: string, ...values: readonly (string | number)[]): Promise<readonly string[]>;
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
  #redis: ScriptedRedis | undefined;
  #isReachable = false;
  #lossCount = 0;
  #isClosed = false;
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

  #valuesOf({ limits, wanted, running, slots }: ShareRequest): (string | number)[] {
    const rates = limitedUnits(limits).flatMap((unit) => {
      const rate = limits[rateOf[unit]];
      return [unit, rate, burstOf(rate), wanted[unit]];
    });
    return [this.#gateway, this.#config.leaseMs, limits.concurrentRequests, running, slots, ...rates];
  }

  #lose(redis: Redis, failure: unknown): void {
    if (!this.#isReachable || redis !== this.#redis) return;
    this.#isReachable = false;
    this.#lossCount++;
    this.#log.warn({ error: messageOf(failure) }, "redis does not answer: each gateway holds the limits by itself");
    this.#lookLater();
  }

  /** Whether it answers, on a new connection: what was asked on the old one is not waited for any longer. */
  async #look(): Promise<void> {
    this.#redis?.disconnect();
    const redis = createRedis(this.#config);
    this.#redis = redis;
    redis.on("error", (failure) => this.#lose(redis, failure));
    redis.on("end", () => this.#lose(redis, new Error("the connection was lost")));
    try {
      await redis.connect();
      await redis.ping();
    } catch (failure) {
      redis.disconnect();
      this.#log.debug({ error: messageOf(failure) }, "redis still does not answer");
      if (!this.#isClosed) this.#lookLater();
      return;
    }
    if (this.#isClosed) return redis.disconnect();
    this.#isReachable = true;
    this.#log.info({}, "limits are shared through redis");
  }

  #lookLater(): void {
    this.#cancelLook = this.#clock.after(lookMs, () => void this.#look());
  }
}

/** A connection that is not open yet, and never opens by itself. */
function createRedis({ redisUrl, redisTimeoutMs }: RedisShareConfig): ScriptedRedis {
  const options: RedisOptions = {
    lazyConnect: true,
    connectTimeout: connectTimeoutMs,
    commandTimeout: redisTimeoutMs,
    enableOfflineQueue: false,
    maxRetriesPerRequest: 0,
    retryStrategy: () => null,
  };
  const path = redisUrl.startsWith("unix://") ? redisUrl.slice("unix://".length) : undefined;
  const redis = path === undefined ? new Redis(redisUrl, options) : new Redis({ ...options, path });
  redis.defineCommand("moveShare", { numberOfKeys: 1, lua: shareScript });
  return redis as ScriptedRedis;
}

function grantOf({ limits }: ShareRequest, [slots, ...given]: readonly string[]): ShareGrant {
  const granted: Record<keyof Cost, number> = { requests: 0, rows: 0, bytes: 0 };
  for (const [index, unit] of limitedUnits(limits).entries()) granted[unit] = Number(given[index]);
  return { granted, slots: Number(slots) };
}

function limitedUnits(limits: ShareRequest["limits"]) {
  return units.filter((unit) => limits[rateOf[unit]] > 0);
}

const keyPrefix = "amaas-limits:";
const connectTimeoutMs = 1000;
const lookMs = 500;
