import type { AspiredFile } from "../../../lib/gen/amaas/registry/v1/AspiredFile.ts";
import type { AspiredVersion } from "../../../lib/gen/amaas/registry/v1/AspiredVersion.ts";
import type { ConnectNodeResponse } from "../../../lib/gen/amaas/registry/v1/ConnectNodeResponse.ts";
import { artifactName } from "../../../lib/resource-names.ts";
import type { Assigned } from "../control/model-plan.ts";
import type { FileEntry } from "../store/entries.ts";

/** What a node should hold, as the contract has it. */
export function assignmentMessage(assignment: readonly Assigned[], heartbeatIntervalMs: number): ConnectNodeResponse {
  return { versions: assignment.map(aspiredVersion), heartbeatIntervalMs };
}

function aspiredVersion({ version, fit, aliases, settings }: Assigned): AspiredVersion {
  const { variant, executionProviders } = fit;
  return {
    version,
    variant: variant.id,
    executionProviders: [...executionProviders],
    modelFile: aspiredFile(variant.modelFile),
    externalFiles: variant.externalFiles.map(aspiredFile),
    aliases: [...aliases],
    settings: settings && { ...settings.values, revision: settings.revision },
  };
}

function aspiredFile({ location, sha256, sizeBytes }: FileEntry): AspiredFile {
  return { location, artifact: artifactName(sha256), sizeBytes };
}
