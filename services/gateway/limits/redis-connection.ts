import { Cluster, Redis, type RedisOptions } from "ioredis";
import { shareScript } from "./share-script.ts";

/** Where the Redis is, and how it is used. */
export interface RedisConnectionConfig {
  /** Of one Redis, or of any node of a Redis Cluster. */
  readonly redisUrl: string;
  /** How long a command waits for its answer, in milliseconds. */
  readonly redisTimeoutMs: number;
}

/** A connection that is open, to one Redis or to a Redis Cluster. */
export interface RedisConnection {
  /** Runs `shareScript`; rejects where nobody answers in time. */
  moveShare(key: string, ...values: readonly (string | number)[]): Promise<readonly string[]>;
  disconnect(): void;
}

/**
 * Opens a connection. It never opens again by itself: `onLoss` is called once it is closed, or seems to be. Rejects where that is so before.
 */
export async function openRedis(
  config: RedisConnectionConfig,
  onLoss: (failure: unknown) => void,
): Promise<RedisConnection> {
  const redis = singleRedis(config);
  try {
    await redis.connect();
    const greeting = (await redis.call("HELLO")) as readonly unknown[];
    if (greeting[greeting.indexOf("mode") + 1] !== "cluster") return scripted(redis, onLoss);
  } catch (failure) {
    redis.disconnect();
    throw failure;
  }
  const cluster = clusterOf(redis);
  redis.disconnect();
  try {
    await cluster.connect();
    await Promise.all(cluster.nodes("master").map((node) => node.ping()));
  } catch (failure) {
    cluster.disconnect();
    throw failure;
  }
  return scripted(cluster, onLoss);
}

function singleRedis({ redisUrl, redisTimeoutMs }: RedisConnectionConfig): Redis {
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
  // What goes wrong is what `connect` rejects with, or ends in the end of the connection.
  return redis.on("error", () => undefined);
}

/** The cluster of which a Redis is a node. */
function clusterOf({ options }: Redis): Cluster {
  const { host, port, username, password, tls, connectTimeout, commandTimeout } = options;
  const redisOptions = { username, password, tls, connectTimeout, commandTimeout };
  const cluster = new Cluster([{ host, port }], {
    lazyConnect: true,
    enableOfflineQueue: false,
    clusterRetryStrategy: () => null,
    maxRedirections: 3,
    retryDelayOnFailover: retryMs,
    retryDelayOnClusterDown: retryMs,
    retryDelayOnTryAgain: retryMs,
    slotsRefreshTimeout: connectTimeoutMs,
    redisOptions,
  });
  return cluster.on("error", () => undefined);
}

function scripted(redis: Redis | Cluster, onLoss: (failure: unknown) => void): RedisConnection {
  redis.on("end", () => onLoss(new Error("the connection was lost")));
  redis.defineCommand("moveShare", { numberOfKeys: 1, lua: shareScript });
  return redis as unknown as RedisConnection;
}

const connectTimeoutMs = 1000;
const retryMs = 5;
