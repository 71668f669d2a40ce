import { join } from "node:path";
import type { Settings } from "../../lib/env.ts";
import { readServiceConfig, type ServiceConfig } from "../../lib/service-config.ts";

/** The registry's settings; its README says what each is for. */
export interface RegistryConfig extends ServiceConfig {
  readonly port: number;
  /** The registry's own part of the data directory. */
  readonly folder: string;
  readonly artifactBytesMax: number;
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
  const whole = (name: string, preset: number, min: number, max: number) =>
    settings.integer(`AMAAS_${name}`, { default: preset, min, max });
  return {
    ...service,
    port: settings.port("AMAAS_REGISTRY_PORT", 8101),
    folder: join(service.dataDir, "registry"),
    artifactBytesMax: whole("ARTIFACT_BYTES_MAX", 16 * 1024 ** 3, 1, 1024 ** 4),
    control: {
      heartbeatMs: whole("NODE_HEARTBEAT_MS", 1000, 50, 60_000),
      settleTimeoutMs: whole("SETTLE_TIMEOUT_MS", 10_000, 0, 600_000),
      replicasPerVersion: whole("REPLICAS_PER_VERSION", 2, 1, 1000),
      newestVersionsServed: whole("NEWEST_VERSIONS_SERVED", 4, 0, 1000),
    },
  };
}
