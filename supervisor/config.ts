import { join } from "node:path";
import { type Environment, Settings } from "../lib/env.ts";

/** The services, in the order in which a reader meets them. */
export const serviceNames = ["registry", "trainer", "inference", "gateway"] as const;
export type ServiceName = (typeof serviceNames)[number];

/** The setting that holds a service's port, and its default. */
export const portSettings = {
  registry: { variable: "AMAAS_REGISTRY_PORT", preset: 8101 },
  trainer: { variable: "AMAAS_TRAINER_PORT", preset: 8201 },
  inference: { variable: "AMAAS_INFERENCE_PORT", preset: 8301 },
  gateway: { variable: "AMAAS_GATEWAY_PORT", preset: 8001 },
} as const satisfies Record<ServiceName, { variable: string; preset: number }>;

/** What services listen on besides, by HTTP. */
const sidePorts = [
  { variable: "AMAAS_GATEWAY_HTTP_PORT", preset: 8000, what: "the gateway's HTTP/JSON" },
  { variable: "AMAAS_GATEWAY_METRICS_PORT", preset: 8002, what: "the gateway's metrics" },
  { variable: "AMAAS_INFERENCE_METRICS_PORT", preset: 8302, what: "the node's metrics" },
] as const;

/** A port, the variable that sets it, and who listens there. */
export interface NamedPort {
  readonly variable: string;
  readonly port: number;
  readonly what: string;
}

export interface SuiteConfig {
  /** Where all state lives; absolute. */
  readonly dataFolder: string;
  /** What the services listen on. */
  readonly host: string;
  /** 0: any free port. */
  readonly ports: Readonly<Record<ServiceName, number>>;
  /** What else is listened on; 0: any free port. */
  readonly sidePorts: readonly NamedPort[];
  /** A Redis that somebody else runs, or "" for a private one. */
  readonly redisUrl: string;
  /** The Redis program for a private one, or "" to look on the PATH. */
  readonly redisServer: string;
  /** How long a service may take to finish what it has accepted. */
  readonly drainTimeoutMs: number;
  /** How large the log file of one service may become; one older file is kept besides. */
  readonly logFileBytesMax: number;
  /** What the services get besides the settings above. */
  readonly env: Environment;
}

/** Reads the suite's settings; throws a `SettingError` at the first malformed one. */
export function suiteConfig(env: Environment): SuiteConfig {
  const settings = new Settings(env);
  const port = (name: ServiceName) => settings.port(portSettings[name].variable, portSettings[name].preset);
  const hasHttp = settings.choice("AMAAS_GATEWAY_HTTP", ["on", "off"], "on") === "on";
  return {
    dataFolder: settings.folder("AMAAS_DATA_DIR", ".amaas"),
    host: settings.host("AMAAS_HOST", "127.0.0.1"),
    ports: {
      registry: port("registry"),
      trainer: port("trainer"),
      inference: port("inference"),
      gateway: port("gateway"),
    },
    sidePorts: sidePorts
      .filter(({ variable }) => hasHttp || variable !== "AMAAS_GATEWAY_HTTP_PORT")
      .map(({ variable, preset, what }) => ({ variable, what, port: settings.port(variable, preset) })),
    redisUrl: settings.redisServiceUrl("AMAAS_REDIS_URL", ""),
    redisServer: settings.text("AMAAS_REDIS_SERVER", {
      default: "",
      pattern: /^[^\0]+$/,
      needed: "the path of a program",
    }),
    drainTimeoutMs: settings.integer("AMAAS_DRAIN_TIMEOUT_MS", { default: 10_000, min: 0, max: 3_600_000 }),
    logFileBytesMax: settings.integer("AMAAS_LOG_FILE_BYTES_MAX", { default: 2 ** 26, min: 4096, max: 2 ** 40 }),
    env,
  };
}

/** Where the log of a service stands. */
export function logPath(config: SuiteConfig, name: ServiceName | "redis"): string {
  return join(config.dataFolder, "logs", `${name}.log`);
}
