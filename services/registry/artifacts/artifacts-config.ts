import type { Settings } from "../../../lib/env.ts";
import type { S3Config } from "./s3-bytes.ts";
import type { UpkeepConfig } from "./upkeep.ts";
import type { UploadsConfig } from "./uploads.ts";

/** Where the bytes of artifacts lie: in files of the registry's folder, or in a bucket. */
export type ByteStoreConfig = { readonly kind: "local" } | ({ readonly kind: "s3" } & S3Config);

/** How artifacts are kept. */
export interface ArtifactsConfig {
  readonly store: ByteStoreConfig;
  /** Largest artifact. */
  readonly bytesMax: number;
  readonly uploads: UploadsConfig;
  readonly upkeep: UpkeepConfig;
}

/** Reads and checks the settings about artifacts. */
export function readArtifactsConfig(settings: Settings): ArtifactsConfig {
  const whole = (name: string, preset: number, min: number, max: number) =>
    settings.integer(`AMAAS_${name}`, { default: preset, min, max });
  return {
    store: readByteStoreConfig(settings),
    bytesMax: whole("ARTIFACT_BYTES_MAX", 16 * 1024 ** 3, 1, 1024 ** 4),
    uploads: {
      countMax: whole("UPLOADS_MAX", 32, 1, 10_000),
      idleMsMax: whole("UPLOAD_IDLE_TIMEOUT_MS", 60_000, 100, 3_600_000),
      parts: {
        bytesMax: whole("UPLOAD_PARTS_BYTES_MAX", 64 * 1024 ** 3, 0, 1024 ** 5),
        ageMsMax: whole("UPLOAD_PARTS_AGE_MAX_MS", 24 * hourMs, 1000, 365 * 24 * hourMs),
      },
    },
    upkeep: {
      collectIntervalMs: whole("GC_INTERVAL_MS", 0, 0, 365 * 24 * hourMs),
      graceMs: whole("GC_GRACE_MS", 24 * hourMs, 60_000, 365 * 24 * hourMs),
      scrubIntervalMs: whole("SCRUB_INTERVAL_MS", 0, 0, 365 * 24 * hourMs),
      scrubBytesPerSecondMax: whole("SCRUB_BYTES_PER_SECOND_MAX", 256 * 1024 ** 2, 1, 1024 ** 4),
    },
  };
}

const hourMs = 3_600_000;

function readByteStoreConfig(settings: Settings): ByteStoreConfig {
  const address = settings.text("AMAAS_ARTIFACT_STORE", {
    default: "",
    pattern: /^s3:\/\/[a-z0-9][a-z0-9.-]{1,61}[a-z0-9](\/[^\s/]+)*\/?$/,
    needed: "s3://bucket or s3://bucket/prefix",
  });
  if (address === "") return { kind: "local" };
  const [bucket, ...path] = address.slice("s3://".length).split("/").filter(Boolean);
  const endpoint = settings.text("AMAAS_S3_ENDPOINT", {
    default: "",
    pattern: /^https?:\/\/[^\s/]+\/?$/,
    needed: "http://host:port or https://host",
  });
  const region = settings.text("AMAAS_S3_REGION", {
    // The signature of a request names one, whatever the server makes of it.
    default: endpoint === "" ? "" : "us-east-1",
    pattern: /^[a-z0-9-]+$/,
    needed: "a region, such as eu-central-1",
  });
  return {
    kind: "s3",
    bucket: bucket!,
    prefix: path.map((segment) => `${segment}/`).join(""),
    endpoint: endpoint || undefined,
    region: region || undefined,
    partBytes: settings.integer("AMAAS_S3_PART_BYTES", { default: 8 * mib, min: 5 * mib, max: 512 * mib }),
    partsInFlightMax: settings.integer("AMAAS_S3_PARTS_IN_FLIGHT_MAX", { default: 2, min: 1, max: 64 }),
    timeoutMs: settings.integer("AMAAS_S3_TIMEOUT_MS", { default: 30_000, min: 100, max: 600_000 }),
    attemptsMax: settings.integer("AMAAS_S3_ATTEMPTS_MAX", { default: 3, min: 1, max: 20 }),
  };
}

const mib = 1024 ** 2;
