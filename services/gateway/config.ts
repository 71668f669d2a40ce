import type { Settings } from "../../lib/env.ts";
import { readServerName, readServiceConfig, type ServiceConfig } from "../../lib/service-config.ts";
import { type BalanceSettings, readBalanceSettings } from "./balance/balance-settings.ts";
import type { MirrorsConfig } from "./mirrors/mirrors.ts";
import type { SequenceTableBounds } from "./sequence-table.ts";

/** The gateway's settings; its README says what each is for. */
export interface GatewayConfig extends ServiceConfig {
  readonly port: number;
  /** Where metrics are served, by HTTP. */
  readonly metricsPort: number;
  readonly registryAddress: string;
  readonly trainerAddress: string;
  /** The name in ServerMetadata: some clients insist on another server's. */
  readonly serverName: string;
  /** How calls are spread over replicas. */
  readonly balance: BalanceSettings;
  /** The deadline of an inference call that has none, in milliseconds. */
  readonly defaultTimeoutMs: number;
  /** Calls that are forwarded at the same time. */
  readonly callsMax: number;
  /** Bytes of request messages that are held at the same time. */
  readonly requestBytesMax: number;
  /** Bytes of answers that are held at the same time for callers who do not take them. */
  readonly answerBytesMax: number;
  /** How many times the latency without load a call may take before fewer are let in; 0 for however long. */
  readonly latencyTolerance: number;
  /** How much longer than without load an inference may take in any case, in milliseconds. */
  readonly latencySlackMs: number;
  /** How long of the drain calls are still taken, while health says that no more should come, in milliseconds. */
  readonly drainDelayMs: number;
  /** Replicas that are asked at most for one call. */
  readonly attemptsMax: number;
  /** How many calls of a model may be sent once more, as a share of all, from 0 to 1. */
  readonly retryShare: number;
  /** Bounds of the sequences whose node is remembered. */
  readonly sequences: SequenceTableBounds;
  /** Versions on nodes that one stream may use. */
  readonly lanesMax: number;
  /** How requests are copied to mirrors. */
  readonly mirrors: MirrorsConfig;
  /** Principals whose limits are counted apart. */
  readonly principalsMax: number;
  /** The Redis through which gateways share limits; empty where each holds them by itself. */
  readonly redisUrl: string;
  /** How long a request waits for that Redis, in milliseconds. */
  readonly redisTimeoutMs: number;
  /** How long a call waits for a connection to a node or service, in milliseconds. */
  readonly connectTimeoutMs: number;
  readonly http: HttpConfig;
}

/** How HTTP/JSON is answered. */
export interface HttpConfig {
  readonly isOn: boolean;
  readonly port: number;
  /** Connections at the same time. */
  readonly connectionsMax: number;
  /** The origins whose pages may call; "*" is all. */
  readonly origins: readonly string[];
  /** Largest JSON of a request, in bytes. */
  readonly jsonBytesMax: number;
}

/** Reads and checks every setting of the gateway. */
export function readGatewayConfig(settings: Settings): GatewayConfig {
  const whole = (name: string, preset: number, min: number, max: number) =>
    settings.integer(`AMAAS_GATEWAY_${name}`, { default: preset, min, max });
  const service = readServiceConfig(settings);
  const { messageBytesMax, drainTimeoutMs } = service;
  return {
    ...service,
    port: settings.port("AMAAS_GATEWAY_PORT", 8001),
    metricsPort: settings.port("AMAAS_GATEWAY_METRICS_PORT", 8002),
    registryAddress: settings.address("AMAAS_REGISTRY_ADDRESS", "127.0.0.1:8101"),
    trainerAddress: settings.address("AMAAS_TRAINER_ADDRESS", "127.0.0.1:8201"),
    serverName: readServerName(settings),
    balance: readBalanceSettings(settings),
    defaultTimeoutMs: whole("DEFAULT_TIMEOUT_MS", 60_000, 1, 86_400_000),
    callsMax: whole("CALLS_MAX", 10_000, 1, 1_000_000),
    // The largest message must have room.
    requestBytesMax: whole("REQUEST_BYTES_MAX", Math.max(1024 ** 3, messageBytesMax), messageBytesMax, 1024 ** 4),
    answerBytesMax: whole("ANSWER_BYTES_MAX", Math.max(512 * 1024 ** 2, messageBytesMax), messageBytesMax, 1024 ** 4),
    latencyTolerance: whole("LATENCY_TOLERANCE", 4, 0, 1000),
    latencySlackMs: whole("LATENCY_SLACK_MS", 400, 0, 600_000),
    drainDelayMs: whole("DRAIN_DELAY_MS", 0, 0, drainTimeoutMs),
    attemptsMax: whole("ATTEMPTS_MAX", 3, 1, 10),
    retryShare: whole("RETRY_PERCENT_MAX", 20, 0, 100) / 100,
    sequences: {
      sequencesMax: whole("SEQUENCES_MAX", 100_000, 1, 10_000_000),
      idleMs: whole("SEQUENCE_IDLE_MS", 3_600_000, 1, 86_400_000),
    },
    lanesMax: whole("STREAM_LANES_MAX", 64, 1, 1000),
    mirrors: {
      copiesMax: whole("MIRROR_COPIES_MAX", 1000, 0, 1_000_000),
      bytesMax: whole("MIRROR_BYTES_MAX", 64 * 1024 ** 2, 0, 2 ** 40),
      callsMax: whole("MIRROR_CALLS_MAX", 100, 1, 10_000),
      timeoutMs: whole("MIRROR_TIMEOUT_MS", 10_000, 1, 600_000),
      compareMsPerSecond: whole("MIRROR_COMPARE_PERCENT_MAX", 5, 0, 100) * 10,
    },
    principalsMax: whole("PRINCIPALS_MAX", 100_000, 1, 10_000_000),
    redisUrl: settings.redisUrl("AMAAS_GATEWAY_REDIS_URL", ""),
    redisTimeoutMs: whole("REDIS_TIMEOUT_MS", 50, 1, 10_000),
    connectTimeoutMs: whole("CONNECT_TIMEOUT_MS", 2000, 10, 60_000),
    http: {
      isOn: settings.choice("AMAAS_GATEWAY_HTTP", ["on", "off"], "on") === "on",
      port: settings.port("AMAAS_GATEWAY_HTTP_PORT", 8000),
      connectionsMax: whole("HTTP_CONNECTIONS_MAX", 10_000, 1, 1_000_000),
      origins: settings
        .text("AMAAS_GATEWAY_HTTP_ORIGINS", { default: "", pattern: originsPattern, needed: originsText })
        .split(",")
        .filter((origin) => origin !== ""),
      jsonBytesMax: whole("JSON_BYTES_MAX", 32 * 1024 ** 2, 1024, 2 ** 28),
    },
  };
}

const originsPattern = /^(\*|https?:\/\/[^\s,/]+(,https?:\/\/[^\s,/]+)*)$/;
const originsText = "* or origins such as https://app.example.com, with commas between";
