import { join } from "node:path";
import type { Settings } from "../../lib/env.ts";
import { readServiceConfig, type ServiceConfig } from "../../lib/service-config.ts";
import { type ArtifactsConfig, readArtifactsConfig } from "./artifacts/artifacts-config.ts";
import type { DatabaseConfig } from "./store/database.ts";
import { readValidationConfig, type ValidationConfig } from "./validation/validation-config.ts";

/** The registry's settings; its README says what each is for. */
export interface RegistryConfig extends ServiceConfig {
  readonly port: number;
  /** The registry's own part of the data directory. */
  readonly folder: string;
  readonly database: DatabaseConfig;
  /** Room for replies that are kept in memory, in bytes. */
  readonly replyBytesMax: number;
  readonly artifacts: ArtifactsConfig;
  readonly validation: ValidationConfig;
  readonly control: ControlConfig;
}

/** How the control plane works. */
export interface ControlConfig {
  /** How often a node must report, in milliseconds; after three times this it counts as gone. */
  readonly heartbeatMs: number;
  /** How long nodes may take to come back after the registry's start, in milliseconds; more than they wait between attempts. */
  readonly settleTimeoutMs: number;
  /** Nodes that hold each served version, as far as there are nodes. */
  readonly replicasPerVersion: number;
  /** Newest versions of a model that are served besides those that an alias points at. */
  readonly newestVersionsServed: number;
}

/** Reads and checks every setting of the registry. */
export function readRegistryConfig(settings: Settings): RegistryConfig {
  const service = readServiceConfig(settings);
  const folder = join(service.dataDir, "registry");
  const whole = (name: string, preset: number, min: number, max: number) =>
    settings.integer(`AMAAS_${name}`, { default: preset, min, max });
  return {
    ...service,
    port: settings.port("AMAAS_REGISTRY_PORT", 8101),
    folder,
    database: readDatabaseConfig(settings, folder),
    replyBytesMax: whole("REPLY_CACHE_BYTES_MAX", 64 * 1024 ** 2, 0, 1024 ** 4),
    artifacts: readArtifactsConfig(settings),
    validation: readValidationConfig(settings),
    control: {
      heartbeatMs: whole("NODE_HEARTBEAT_MS", 800, 50, 60_000),
      settleTimeoutMs: whole("SETTLE_TIMEOUT_MS", 10_000, 0, 600_000),
      replicasPerVersion: whole("REPLICAS_PER_VERSION", 2, 1, 1000),
      newestVersionsServed: whole("NEWEST_VERSIONS_SERVED", 4, 0, 1000),
    },
  };
}

function readDatabaseConfig(settings: Settings, folder: string): DatabaseConfig {
  const url = settings.text("AMAAS_DATABASE_URL", {
    default: "",
    pattern: /^postgres(ql)?:\/\/\S+$/,
    needed: "postgres://user:password@host:port/database",
  });
  if (url === "") return { kind: "embedded", folder };
  return {
    kind: "postgres",
    url,
    connectionsMax: settings.integer("AMAAS_DATABASE_CONNECTIONS_MAX", { default: 10, min: 2, max: 1000 }),
    timeoutMs: settings.integer("AMAAS_DATABASE_TIMEOUT_MS", { default: 5000, min: 100, max: 600_000 }),
  };
}
