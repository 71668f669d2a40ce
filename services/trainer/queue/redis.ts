import { Cluster, type ClusterOptions, Redis, type RedisOptions } from "ioredis";
import { messageOf, ServiceError } from "../../../lib/errors.ts";
import type { Log } from "../../../lib/log.ts";
import { redisOptionsOf } from "./redis-address.ts";

/** Every key begins with this; the braces keep all keys on one node of a Redis Cluster. */
export const keyPrefix = "{amaas-trainer}";

/** A connection to one Redis, to the one that Sentinels name, or to a Cluster. */
export type RedisClient = Redis | Cluster;

/**
 * What a connection is for. `commands` fails at once while Redis is down, so that callers hear it; `blocking` waits, as
 * BullMQ's worker needs; `subscriber` subscribes again by itself.
 */
export type RedisPurpose = "commands" | "blocking" | "subscriber";

/**
 * Opens a connection, which opens again by itself after a loss. Where the Redis is a node of a Cluster, the connection is to all of its nodes. Rejects with
 * a message that names the setting if no Redis answers in time.
 */
export async function openRedis(url: string, purpose: RedisPurpose, log: Log): Promise<RedisClient> {
  const redis = new Redis({ ...optionsOf(purpose), ...redisOptionsOf(url) });
  tellLosses(redis, purpose, log);
  let client: RedisClient = redis;
  try {
    await redis.connect();
    if (!(await isOfCluster(redis))) return redis;
    redis.disconnect();
    client = clusterOf(redis, purpose);
    tellLosses(client, purpose, log);
    await client.connect();
    return client;
  } catch (cause) {
    client.disconnect();
    throw new Error(`AMAAS_REDIS_URL: no Redis answers at ${withoutPassword(url)}: ${messageOf(cause)}`, { cause });
  }
}

function optionsOf(purpose: RedisPurpose): RedisOptions {
  return {
    ...purposes[purpose],
    lazyConnect: true,
    connectTimeout: connectTimeoutMs,
    retryStrategy: waitMs,
    sentinelRetryStrategy: waitMs,
  };
}

async function isOfCluster(redis: Redis): Promise<boolean> {
  return /^redis_mode:cluster/m.test(await redis.info("server"));
}

/** The Cluster of which a Redis is a node. */
function clusterOf({ options }: Redis, purpose: RedisPurpose): Cluster {
  const { host, port, username, password, tls, connectTimeout } = options;
  const settings: ClusterOptions = {
    lazyConnect: true,
    enableOfflineQueue: purpose !== "commands",
    clusterRetryStrategy: waitMs,
    slotsRefreshTimeout: connectTimeoutMs,
    redisOptions: { username, password, tls, connectTimeout, ...purposes[purpose] },
  };
  return new Cluster([{ host, port }], settings);
}

function tellLosses(redis: RedisClient, purpose: RedisPurpose, log: Log): void {
  let reachable = true;
  redis.on("ready", () => {
    reachable = true;
  });
  redis.on("error", (failure) => {
    if (reachable) log.warn({ purpose, error: messageOf(failure) }, "redis cannot be reached; trying again");
    reachable = false;
  });
}

/** Runs a command; SERVICE_UNAVAILABLE where Redis cannot be reached or cannot take it at present. */
export async function reaching<Value>(command: () => Promise<Value>): Promise<Value> {
  try {
    return await command();
  } catch (cause) {
    if (cause instanceof ServiceError || isRefusal(cause)) throw cause;
    const message =
      "the job store cannot be reached, and a change may or may not be made; try again with the same request_id";
    throw new ServiceError("SERVICE_UNAVAILABLE", message, {
      retryDelayMs: 1000,
      cause,
    });
  }
}

/** Answers of a Redis that cannot take a command at present. */
const passing = /^(OOM|READONLY|LOADING|BUSY|MASTERDOWN|CLUSTERDOWN|TRYAGAIN|MISCONF)/;

/** Whether Redis answered that a command is wrong, which no second attempt changes. */
function isRefusal(cause: unknown): boolean {
  return (cause as Error)?.name === "ReplyError" && !passing.test(messageOf(cause));
}

const purposes = {
  commands: { maxRetriesPerRequest: 0, enableOfflineQueue: false },
  blocking: { maxRetriesPerRequest: null },
  subscriber: { maxRetriesPerRequest: null },
} as const satisfies Record<RedisPurpose, RedisOptions>;

function waitMs(attempt: number): number {
  return Math.min(attempt * 50, 1000);
}

function withoutPassword(url: string): string {
  return url.replace(/\/\/[^@/]*@/, "//***@");
}

/** How long the first connection may take, in milliseconds. */
const connectTimeoutMs = 10_000;
