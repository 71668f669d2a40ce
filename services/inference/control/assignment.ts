import type { ConnectNodeResponse__Output } from "../../../lib/gen/amaas/registry/v1/ConnectNodeResponse.ts";
import { parseArtifactName, parseVersionName } from "../../../lib/resource-names.ts";
import type { AspiredVersion } from "../replicas/aspired-version.ts";

/** What the registry wants this node to hold. */
export interface Assignment {
  /** In the order in which they should be loaded. */
  readonly versions: readonly AspiredVersion[];
}

/** Reads an assignment. Throws REQUEST_INVALID that says which name is malformed. */
export function assignmentOf({ versions }: ConnectNodeResponse__Output): Assignment {
  return {
    versions: versions.map(({ version, artifact, sizeBytes, aliases }) => ({
      ...parseVersionName(version, "versions.version"),
      sha256: parseArtifactName(artifact, "versions.artifact"),
      sizeBytes,
      aliases,
    })),
  };
}
