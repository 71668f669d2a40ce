import type { Artifact } from "../../../lib/gen/amaas/registry/v1/Artifact.ts";
import { artifactName } from "../../../lib/resource-names.ts";
import { timestampOf } from "../../../lib/timestamp.ts";
import type { ArtifactRow } from "../store/schema.ts";

/** An artifact as the contract has it. */
export function artifactMessage(row: ArtifactRow): Artifact {
  return {
    name: artifactName(row.sha256),
    sizeBytes: row.size_bytes,
    createTime: timestampOf(row.create_time),
    state: `STATE_${row.state}`,
    scrubTime: timestampOf(row.scrub_time ?? undefined),
  };
}
