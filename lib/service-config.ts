import type { Settings } from "./env.ts";
import { type LogLevel, logLevels } from "./log.ts";
import { idPattern, idPatternText } from "./resource-names.ts";

/** Settings that every service has. */
export interface ServiceConfig {
  /** Where state lives, an absolute path; each service keeps its own folder inside. */
  readonly dataDir: string;
  /** Host name or IP address to listen on. */
  readonly host: string;
  readonly logLevel: LogLevel;
  /** Largest message in either direction, in bytes. */
  readonly messageBytesMax: number;
  /** How long accepted calls may go on after a stop, in milliseconds. */
  readonly drainTimeoutMs: number;
  /** Connections at the same time; more are closed at once. */
  readonly connectionsMax: number;
  /** How long a new connection may take until it speaks HTTP/2, in milliseconds. */
  readonly handshakeTimeoutMs: number;
}

/** The name that ServerMetadata tells, the same at a gateway and at a node: some clients insist on another server's. */
export function readServerName(settings: Settings): string {
  return settings.text("AMAAS_SERVER_NAME", {
    default: "amaas",
    pattern: /^[\x21-\x7e]{1,64}$/,
    needed: "1 to 64 printable characters without spaces",
  });
}

/** Where a gateway or a node stands, such as a zone of a cloud; empty where nobody says. Gateways know nodes by it that are near. */
export function readZone(settings: Settings): string {
  return settings.text("AMAAS_ZONE", { default: "", pattern: idPattern, needed: idPatternText });
}

/** Reads and checks the settings that every service has. */
export function readServiceConfig(settings: Settings): ServiceConfig {
  return {
    dataDir: settings.folder("AMAAS_DATA_DIR", ".amaas"),
    host: settings.host("AMAAS_HOST", "127.0.0.1"),
    logLevel: settings.choice("AMAAS_LOG_LEVEL", logLevels, "info"),
    messageBytesMax: settings.integer("AMAAS_MESSAGE_BYTES_MAX", {
      default: 256 * 1024 ** 2,
      min: 1024,
      max: 2 ** 31 - 1,
    }),
    drainTimeoutMs: settings.integer("AMAAS_DRAIN_TIMEOUT_MS", { default: 10_000, min: 0, max: 3_600_000 }),
    connectionsMax: settings.integer("AMAAS_CONNECTIONS_MAX", { default: 20_000, min: 1, max: 1_000_000 }),
    handshakeTimeoutMs: settings.integer("AMAAS_HANDSHAKE_TIMEOUT_MS", { default: 10_000, min: 10, max: 600_000 }),
  };
}
