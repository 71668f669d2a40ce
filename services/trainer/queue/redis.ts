import { Redis, type RedisOptions } from "ioredis";
import { messageOf, ServiceError } from "../../../lib/errors.ts";
import type { Log } from "../../../lib/log.ts";

/** Every key begins with this; the braces keep all keys on one node of a Redis Cluster. */
export const keyPrefix = "{amaas-trainer}";

/** How long the first connection may take, in milliseconds. */
const connectTimeoutMs = 10_000;

/**
 * What a connection is for. `commands` fails at once while Redis is down, so that callers hear it; `blocking` waits, as
 * BullMQ's worker needs; `subscriber` subscribes again by itself.
 */
export type RedisPurpose = "commands" | "blocking" | "subscriber";

/** A connection that is not open yet; it reconnects by itself after a loss. */
export function createRedis(url: string, purpose: RedisPurpose, log: Log): Redis {
  const options: RedisOptions = {
    ...purposes[purpose],
    lazyConnect: true,
    connectTimeout: connectTimeoutMs,
    retryStrategy: (attempt) => Math.min(attempt * 50, 1000),
  };
  const redis = url.startsWith("unix://")
    ? new Redis({ ...options, path: url.slice("unix://".length) })
    : new Redis(url, options);
  let reachable = true;
  redis.on("ready", () => {
    reachable = true;
  });
  redis.on("error", (failure) => {
    if (reachable) log.warn({ purpose, error: messageOf(failure) }, "redis cannot be reached; trying again");
    reachable = false;
  });
  return redis;
}

/** Opens a connection; fails with a message that names the setting if Redis does not answer in time. */
export async function connectRedis(redis: Redis, url: string): Promise<void> {
  try {
    await redis.connect();
  } catch (cause) {
    redis.disconnect();
    throw new Error(`AMAAS_REDIS_URL: no Redis answers at ${withoutPassword(url)}: ${messageOf(cause)}`, { cause });
  }
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

function withoutPassword(url: string): string {
  return url.replace(/\/\/[^@/]*@/, "//***@");
}
