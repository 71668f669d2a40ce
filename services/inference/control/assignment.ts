import { ServiceError } from "../../../lib/errors.ts";
import type { AspiredFile__Output as AspiredFile } from "../../../lib/gen/amaas/registry/v1/AspiredFile.ts";
import type { AspiredVersion__Output as AspiredVersionMessage } from "../../../lib/gen/amaas/registry/v1/AspiredVersion.ts";
import type { ConnectNodeResponse__Output } from "../../../lib/gen/amaas/registry/v1/ConnectNodeResponse.ts";
import type { ServingSettings__Output as ServingSettings } from "../../../lib/gen/amaas/registry/v1/ServingSettings.ts";
import type { VersionPolicy__Output as VersionPolicyMessage } from "../../../lib/gen/amaas/registry/v1/VersionPolicy.ts";
import { parseArtifactName, parseVersionName } from "../../../lib/resource-names.ts";
import type { ArtifactReference } from "../artifacts/artifact-cache.ts";
import type { Isolation } from "../isolation/isolation.ts";
import type { AspiredVersion, ReplicaSettings, VersionPolicy } from "../replicas/aspired-version.ts";
import { batchSettings } from "./batch-settings.ts";
import { decoupledSettings, sequenceSettings } from "./stateful-settings.ts";
import { warmUpOf } from "./warm-ups.ts";

/** What the registry wants this node to hold. */
export type Assignment = ConnectNodeResponse__Output;

/**
 * The versions of an assignment, in the order in which they should be loaded. Throws REQUEST_INVALID that says which name is
 * malformed.
 */
export function aspiredVersions({ versions }: Assignment): readonly AspiredVersion[] {
  return versions.map((message) => ({
    ...parseVersionName(message.version, "versions.version"),
    content: {
      variant: message.variant,
      modelFile: fileOf(message.modelFile, "versions.model_file"),
      externalFiles: message.externalFiles.map((file) => ({
        location: file.location,
        ...fileOf(file, "versions.external_files"),
      })),
    },
    settings: settingsOf(message),
    aliases: message.aliases,
    versionPolicy: policyOf(message.settings?.versionPolicy ?? null),
    memoryBytes: message.memoryBytes,
    isOnDemand: message.settings?.residency === "RESIDENCY_ON_DEMAND",
  }));
}

function policyOf(policy: VersionPolicyMessage | null): VersionPolicy | undefined {
  switch (policy?.choice) {
    case "latest":
      return { kind: "latest", count: policy.latest! };
    case "all":
      return { kind: "all" };
    case "specific":
      return { kind: "specific", versions: policy.specific!.versions };
    default:
      return undefined;
  }
}

function fileOf(file: AspiredFile | null, field: string): ArtifactReference {
  if (file === null) throw new ServiceError("REQUEST_INVALID", `${field} is not set; needed: a file`);
  return { sha256: parseArtifactName(file.artifact, `${field}.artifact`), sizeBytes: file.sizeBytes };
}

function settingsOf({ executionProviders, settings }: AspiredVersionMessage): ReplicaSettings {
  return {
    executionProviders,
    // Those of providers that the version never runs on would load it anew whenever they change.
    instanceGroups: (settings?.instanceGroups ?? []).filter(({ executionProvider }) =>
      ["", ...executionProviders].includes(executionProvider),
    ),
    isolation: isolationOf(settings?.isolation),
    queueRequestsMax: settings?.limits?.queueRequestsMax ?? 0,
    queueRowsMax: settings?.limits?.queueRowsMax ?? 0,
    queueBytesMax: settings?.limits?.queueBytesMax ?? 0,
    defaultTimeoutMs: settings?.limits?.defaultTimeoutMs ?? 0,
    batching: settings?.dynamicBatching ? batchSettings(settings.dynamicBatching) : undefined,
    sequences: settings?.sequenceBatching ? sequenceSettings(settings.sequenceBatching) : undefined,
    decoupled: settings?.decoupled ? decoupledSettings(settings.decoupled) : undefined,
    warmUps: (settings?.warmUps ?? []).map(warmUpOf),
  };
}

function isolationOf(isolation: ServingSettings["isolation"] | undefined): Isolation | undefined {
  if (isolation === "ISOLATION_THREAD") return "thread";
  return isolation === "ISOLATION_PROCESS" ? "process" : undefined;
}
